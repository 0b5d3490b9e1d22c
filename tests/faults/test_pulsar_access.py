"""Who may use which brokers: tokens and certificates; what is refused, with what to type; and secrets that nobody sees."""

from __future__ import annotations

import os
import sys

import pytest
from pulsar_queue import Queue, certificates, token
from servers import pulsar_server
from servers.ports import free_port
from steps import take

from minionize.errors import EngineError, EngineUnavailable, UsageError
from minionize.model import Ack

SECRET = b"a secret of thirty-two bytes....."

#: Runs minionize where its client cannot be imported.
MISSING = """
import sys
sys.modules["pulsar"] = None
from minionize.cli.minionize import command
sys.exit(command())
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Give a broker that wants a token, and knows a role that may do nothing."""
    key = tmp_path_factory.mktemp("secret") / "key"
    key.write_bytes(SECRET)
    boss = token(SECRET, "boss")
    lines = (
        "authenticationEnabled=true",
        "authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
        f"tokenSecretKey=file://{key}",
        "authorizationEnabled=true",
        "superUserRoles=boss",
        "brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken",
        f"brokerClientAuthenticationParameters=token:{boss}",
    )
    with pulsar_server.PulsarServer(extra="\n".join(lines), header=f"Authorization: Bearer {boss}") as server:
        server.ask("namespaces/public/default/permissions/minion", "POST", '["produce", "consume"]', token=boss)
        yield server


def refused(act, *words, kind=EngineError):
    """Require an error that asking again does not cure, which says all this."""
    with pytest.raises(kind) as error:
        act()
    assert not isinstance(error.value, EngineUnavailable), error.value
    assert [word for word in words if word not in str(error.value)] == [], error.value
    return str(error.value)


def access(server, **given):
    """Make what is known of us at a broker."""
    from minionize.engines.pulsar.connect import Access

    return Access(given.pop("url", server.url), **given)


def test_the_right_token_opens_as_text_and_as_a_file(guarded, tmp_path):
    """Both for the client and for the admin API; the token is shown to nobody."""
    boss = token(SECRET, "boss")
    queue = Queue(guarded)
    engine = queue.filled(1, access=access(guarded, token=boss))
    assert boss not in engine.where + repr(engine.notes)
    path = tmp_path / "token"
    path.write_text(boss + "\n")
    other = queue.open("b", access=access(guarded, token=f"file://{path}"), create=False)
    other.exchange([Ack(task) for task in take(other, 1)])
    assert other.exchange(limit=1).state == "ended"
    queue.close()


def test_a_role_that_may_produce_and_consume_is_enough(guarded):
    """Without the admin API, which it may not ask."""
    minion = access(guarded, token=token(SECRET, "minion"))
    queue = Queue(guarded, counting=False)
    engine = queue.filled(2, access=minion)
    engine.exchange([Ack(task) for task in take(engine, 2)])
    queue.close()


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("given", ["", "wrong", "of another secret", "of nobody"])
def test_a_missing_or_wrong_token_is_an_error_at_once(guarded, given, counting):
    """Waiting would not help: it is no outage. What to type is told, what was typed is not."""
    tokens = {"of another secret": token(b"another" * 6, "boss"), "of nobody": token(SECRET, "nobody")}
    known = access(guarded, token=tokens.get(given, given) or None)
    text = refused(lambda: Queue(guarded, counting=counting).open(access=known), "PULSAR_TOKEN")
    assert not (given and tokens.get(given, given) in text.replace("a wrong", ""))


def test_a_token_that_is_not_there_is_a_usage_error(guarded, tmp_path):
    """Its file is named."""
    known = access(guarded, token=f"file://{tmp_path}/nothing")
    refused(lambda: Queue(guarded).open(access=known), "PULSAR_TOKEN=file://", "cannot be read", kind=UsageError)


def test_tls_needs_the_authority_that_signed(tmp_path):
    """With its certificate all works, also the admin API and a certificate of our own; without it that is said."""
    ca, certificate, key = certificates(tmp_path)
    tls_port, web_tls_port = free_port(), free_port()
    lines = (
        f"brokerServicePortTls={tls_port}",
        f"webServicePortTls={web_tls_port}",
        f"tlsCertificateFilePath={certificate}",
        f"tlsKeyFilePath={key}",
        f"tlsTrustCertsFilePath={ca}",
    )
    with pulsar_server.PulsarServer(extra="\n".join(lines)) as server:
        url, admin = f"pulsar+ssl://127.0.0.1:{tls_port}", f"https://127.0.0.1:{web_tls_port}"
        queue = Queue(server)
        ours = access(server, url=url, authority=ca, certificate=certificate, key=key)
        engine = queue.filled(2, access=ours, admin=admin)
        engine.exchange([Ack(task) for task in take(engine, 2)])
        assert engine.exchange(limit=1).state == "ended"
        stranger = access(server, url=url)
        refused(lambda: queue.open("b", access=stranger, admin=admin), "PULSAR_TLS_CA")
        refused(lambda: queue.open("c", access=stranger, admin=None), "PULSAR_TLS_CA")
        wrong = access(server, url=url, authority=ca, certificate=certificate, key=ca)
        refused(lambda: queue.open("e", access=wrong, admin=None), "PULSAR_TLS_KEY")
        plain = access(server, url=f"pulsar+ssl://127.0.0.1:{server.port}", authority=ca)
        with pytest.raises(EngineUnavailable, match="TLS"):
            queue.open("d", access=plain, admin=None)
        queue.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "localhost:6650"}, "PULSAR_CONNECTION="),
        ({"url": "redis://localhost"}, "PULSAR_CONNECTION="),
        ({"url": "pulsar://user:s3cret@localhost"}, "PULSAR_CONNECTION="),
        ({"url": "pulsar://"}, "PULSAR_CONNECTION="),
        ({"certificate": "/nowhere/cert"}, "PULSAR_TLS_KEY"),
        ({"certificate": "/nowhere/cert", "key": "/nowhere/key"}, "PULSAR_TLS_CERT=/nowhere/cert"),
        ({"authority": "/nowhere/ca"}, "PULSAR_TLS_CA=/nowhere/ca"),
        ({"certificate": "c", "key": "k", "token": "t"}, "give one of them"),
    ],
)
def test_what_is_given_wrong_is_a_usage_error(given, said):
    """It names the variable, and not the password."""
    pulsar_server.require()
    from minionize.engines.pulsar.connect import Access, check

    with pytest.raises(UsageError, match=said) as error:
        check(Access(**{"url": "pulsar://localhost", **given}))
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://host:port", "http://[::1"])
def test_what_is_no_admin_api_is_a_usage_error(url):
    """It names the variable, with an example."""
    from minionize.engines.pulsar.admin import Admin
    from minionize.engines.pulsar.connect import Access

    with pytest.raises(UsageError, match="PULSAR_ADMIN="):
        Admin(url, Access("pulsar://localhost"))


def test_an_admin_api_that_is_something_else_is_an_error(queue_server):
    """The broker's own port speaks no HTTP, and nobody listens at another one."""
    with pytest.raises(EngineError, match="PULSAR_ADMIN|admin API"):
        Queue(queue_server).open(admin=f"http://127.0.0.1:{queue_server.port}")
    with pytest.raises(EngineUnavailable, match="PULSAR_ADMIN"):
        Queue(queue_server).open(admin=f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def queue_server():
    """Give the broker that tests share."""
    return pulsar_server.shared()


def test_a_missing_client_says_what_to_install(camp):
    """Before anything is looked at, with exit code 2."""
    process = camp.start(sys.executable, "-c", MISSING, "echo", variables={"MINION_ENGINE": "pulsar"})
    assert process.code() == 2, process.err
    assert "pip install 'minionize[pulsar]'" in process.err
    assert "Traceback" not in process.err


def test_the_client_says_nothing_by_itself(camp, queue_server):
    """Neither at the end nor about a topic that is not there: what matters is our own error."""
    variables = queue_server.environment(pulsar_server.topic_name(), admin=False)
    process = camp.minion("true", variables={**variables, "HOME": os.environ.get("HOME", "/")})
    assert process.code() == 2, process.err
    assert "there is no queue" in process.err
    assert [word for word in ("ERROR", "INFO", "WARN", "terminate") if word in process.err + process.out] == []
