"""A client of the brokers, and the one place where Pulsar's errors become ours.

The client's own log is thrown away: during an outage it writes dozens of lines, and what matters comes as an error.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import pulsar

from minionize.engines.pulsar.greet import PORTS, TIMEOUT, greet
from minionize.errors import BadParam, EngineError, EngineUnavailable, NoQueue, UsageError
from minionize.masks import mask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ssl import SSLContext

    from minionize.errors import MinionizeError

#: Seconds until brokers that do not answer a request are believed to be gone.
OPERATION = 10.0
#: Seconds that an orderly end may take; then the connections are cut.
FAREWELL = 2.0
_EXAMPLE = "  For example:  PULSAR_CONNECTION=pulsar://localhost:6650   or   pulsar+ssl://host:6651"

_REFUSED = (pulsar.AuthenticationError, pulsar.AuthorizationError, pulsar.ErrorGettingAuthenticationData)
_MISSING = (pulsar.TopicNotFound, pulsar.SubscriptionNotFound, pulsar.ConsumerNotFound)
_HOPELESS = (
    pulsar.ChecksumError,
    pulsar.CryptoError,
    pulsar.IncompatibleSchema,
    pulsar.InvalidConfiguration,
    pulsar.InvalidMessage,
    pulsar.NotAllowedError,
    pulsar.OperationNotSupported,
    pulsar.TopicTerminated,
    pulsar.UnsupportedVersionError,
)


class Access(NamedTuple):
    """Where the brokers are, and by what they know us. ``token`` is a text or ``file:///path``; the others are paths."""

    url: str
    token: str | None = None
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return mask(self.url)

    def tls(self) -> SSLContext:
        """Make what a TLS connection of our own needs: whom we trust, and who we are."""
        import ssl

        context = ssl.create_default_context(cafile=self.authority)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def current_token(self) -> str | None:
        """Read the token, from its file each time: it may be replaced there."""
        if self.token is None or not self.token.startswith("file://"):
            return self.token
        try:
            with open(self.token.removeprefix("file://"), encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"PULSAR_TOKEN={self.token} cannot be read: {error}") from error


class Link:
    """A client that is closed for certain."""

    def __init__(self, access: Access) -> None:
        """Connect; raises EngineUnavailable soon where nobody listens, EngineError where we are not let in."""
        check(access)
        #: Bytes that a message may have, properties and all.
        self.largest = greet(access)
        self.access = access
        with self.errors():
            self.client = pulsar.Client(
                access.url,
                authentication=_authentication(access),
                operation_timeout_seconds=int(OPERATION),
                connection_timeout_ms=int(TIMEOUT * 1000),
                tls_trust_certs_file_path=access.authority,
                tls_validate_hostname=True,
                logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
            )
        # At the end of the interpreter a client that is open would lose acks, and abort the process.
        self._end = weakref.finalize(self, _close, self.client)

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Raise errors of ours for those of the client."""
        try:
            yield
        except pulsar.PulsarException as error:
            raise translated(error, self.access) from error

    def subscribe(self, topic: str | Any, subscription: str, **options: Any) -> Any:
        """Make a consumer; where there is no such subscription yet it is to get everything from the beginning on."""
        with self.errors():
            return self.client.subscribe(
                topic,
                subscription,
                **{
                    "consumer_type": pulsar.ConsumerType.Shared,
                    "initial_position": pulsar.InitialPosition.Earliest,
                    **options,
                },
            )

    def partitions(self, topic: str) -> list[str]:
        """List the names of a topic's partitions; its own where it has none."""
        with self.errors():
            return [str(name) for name in self.client.get_topic_partitions(topic)]

    def close(self) -> None:
        """Flush, say goodbye and let go; brokers that do not answer are not waited for."""
        self._end()

    def cut(self) -> None:
        """Cut the connections without a word."""
        self._end.detach()
        within(FAREWELL, self.client.shutdown)


def _close(client: Any) -> None:
    if not within(FAREWELL, client.close):
        within(FAREWELL, client.shutdown)


def within(seconds: float, act: Any) -> bool:
    """Do something in a thread of its own, whose end is waited for so long; says whether it came."""

    def run() -> None:
        with contextlib.suppress(pulsar.PulsarException):
            act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def check(access: Access) -> None:
    """Refuse an address that is none, and files that are not there; raises UsageError."""
    scheme, separator, rest = access.url.partition("://")
    if not separator or scheme not in PORTS or not rest or "@" in rest:
        raise UsageError(f"PULSAR_CONNECTION={access.shown} is no address of Pulsar brokers.\n{_EXAMPLE}")
    if bool(access.certificate) != bool(access.key):
        raise UsageError("PULSAR_TLS_CERT and PULSAR_TLS_KEY belong together: give both, or none")
    if access.certificate and access.token:
        raise UsageError("PULSAR_TOKEN and PULSAR_TLS_CERT both say who we are: give one of them")
    files = {"CA": access.authority, "CERT": access.certificate, "KEY": access.key}
    for name, path in files.items():
        if path and not os.access(path, os.R_OK):
            raise UsageError(f"PULSAR_TLS_{name}={path} cannot be read, or is not there")
    access.current_token()


def _authentication(access: Access) -> Any:
    if access.certificate:
        return pulsar.AuthenticationTLS(access.certificate, access.key)
    return pulsar.AuthenticationToken(access.current_token) if access.token else None


def exception_of(result: Any) -> pulsar.PulsarException:
    """Make the exception of the client's that a result of its stands for: they have the same names."""
    kind = getattr(pulsar, result.name, pulsar.UnknownError)
    known = isinstance(kind, type) and issubclass(kind, pulsar.PulsarException)
    return (kind if known else pulsar.UnknownError)(result.name)


def translated(error: Exception, access: Access) -> MinionizeError:
    """Make an error of ours of what the client raised."""
    words, where = type(error).__name__, f"the Pulsar brokers at {access.shown}"
    if isinstance(error, _REFUSED):
        what = "allow us too little" if isinstance(error, pulsar.AuthorizationError) else "refuse us"
        return EngineError(
            f"{where} {what}: {words}\n  Say who we are by PULSAR_TOKEN, or by PULSAR_TLS_CERT and PULSAR_TLS_KEY;"
            f" a minion produces and consumes.\n"
            f"  pulsar-admin namespaces grant-permission TENANT/NAMESPACE --role ROLE --actions produce,consume"
        )
    if isinstance(error, (pulsar.InvalidUrl, pulsar.InvalidTopicName)):
        name = "PULSAR_CONNECTION" if isinstance(error, pulsar.InvalidUrl) else "PULSAR_TOPIC"
        return UsageError(f"{where} cannot be asked: {name} is wrong ({words})")
    if isinstance(error, _MISSING):
        return NoQueue(f"{where} have no such topic, and may make none: {words}")
    if isinstance(error, pulsar.MessageTooBig):
        return BadParam(f"{where} take no message that large; they are told how large by  maxMessageSize=")
    if isinstance(error, pulsar.ConsumerBusy):
        return EngineError(
            f"{where} let nobody share that subscription: a consumer of another type uses it.\n"
            f"  Choose another one:  PULSAR_SUBSCRIPTION=..."
        )
    if isinstance(error, _HOPELESS):
        return EngineError(f"{where} do not do what a queue needs: {words}: {error}")
    if isinstance(error, (pulsar.ConnectError, pulsar.Timeout, pulsar.NotConnected, pulsar.ReadError)):
        what = "do not answer" if isinstance(error, pulsar.Timeout) else "cannot be reached"
        return EngineUnavailable(f"{where} {what}: {words}{_hint(access)}")
    return EngineUnavailable(f"{where} cannot be used now: {words}")


def _hint(access: Access) -> str:
    if access.url.startswith("pulsar+ssl"):
        return "\n  Is it TLS that they speak there, with a certificate that PULSAR_TLS_CA signed, for that host name?"
    return ""
