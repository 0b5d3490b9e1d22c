"""The parts of the pulsar engine that need no broker: names, the little of protocol buffers, the handshake, the inbox's turns."""

from __future__ import annotations

import socket
import struct
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import EngineError, EngineUnavailable
from minionize.model import Counts

pytest.importorskip("pulsar")

from minionize.engines.broker.channel import Received
from minionize.engines.pulsar import channel, look, names, protobuf
from minionize.engines.pulsar.books import Books
from minionize.engines.pulsar.connect import Access
from minionize.engines.pulsar.greet import greet


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("minions", "persistent://public/default/minions"),
        ("tenant/space/name", "persistent://tenant/space/name"),
        ("persistent://tenant/space/a name/x", "persistent://tenant/space/a name/x"),
    ],
)
def test_a_topic_is_named_in_full(text, full):
    """A bare name is one of the default namespace; the topics beside it are named as Pulsar's own clients do."""
    read = names.read(text, "mine")
    assert read.tasks.full == full
    assert [topic.full for topic in (read.retry, read.dead)] == [f"{full}-mine-RETRY", f"{full}-mine-DLQ"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("minions", "minions"),
        ("persistent://public/default/minions", "minions"),
        ("public/default/a/b", "persistent://public/default/a/b"),
        ("mine/default/minions", "persistent://mine/default/minions"),
    ],
)
def test_a_topic_is_shown_as_it_can_be_typed(text, shown):
    """By its bare name where that means the same topic."""
    topic = names.read(text, "s").tasks
    assert topic.shown == shown
    assert names.read(shown, "s").tasks == topic


@pytest.mark.parametrize(
    ("topic", "subscription", "variables"),
    [
        ("minions", "minions", ""),
        ("mine/default/minions", "minions", " PULSAR_TOPIC=persistent://mine/default/minions"),
        ("other", "us", " PULSAR_TOPIC=other PULSAR_SUBSCRIPTION=us"),
    ],
)
def test_who_finds_no_queue_hears_how_to_make_that_one(topic, subscription, variables):
    """With every variable that makes it this queue and no other."""
    read = names.read(topic, subscription)
    error = look.refuse(SimpleNamespace(access=Access("pulsar://localhost")), read, read.all)
    assert f"MINION_ENGINE=pulsar{variables} minion-queue put" in str(error)


class Statistics:
    """An admin API that knows how much is in some topics."""

    def __init__(self, backlogs):
        self.backlogs = backlogs

    def get(self, path):
        """Read the statistics of a topic."""
        name = path.split("/")[3]
        if path.split("/")[4].startswith("partitioned") or name not in self.backlogs:
            return None
        return {"subscriptions": {"minions": {"msgBacklog": self.backlogs[name]}}}


@pytest.mark.parametrize(
    ("backlogs", "left", "counts"),
    [
        ({"t": 2, "t-minions-RETRY": 1, "t-minions-DLQ": 4}, 3, Counts(3, 0, 0, None, 4)),
        ({"t-minions-RETRY": 1, "t-minions-DLQ": 4}, None, Counts(dead=4)),
        ({"t": 0, "t-minions-DLQ": 0}, None, Counts(dead=0)),
        ({"t": 0, "t-minions-RETRY": 0}, 0, Counts(0, 0, 0)),
        ({}, None, Counts()),
    ],
)
def test_a_topic_that_is_gone_is_no_empty_one(backlogs, left, counts):
    """What the admin API does not find is unknown: no reason to leave, and no zero in the books."""
    books = Books(Statistics(backlogs), names.read("t", "minions"))
    assert (books.left(), books.counts()) == (left, counts)


def test_a_minion_remembers_no_more_acks_than_it_may_need(monkeypatch):
    """The last ones, however many there were."""
    monkeypatch.setattr(channel, "_MOST", 10)
    ours = channel.PulsarChannel(SimpleNamespace(), (), "s", print)
    hold = SimpleNamespace(is_over=False, is_connected=True, ack=lambda message: None)
    messages = [Received(str(n), b"", {}, (hold, n)) for n in range(100)]
    assert ours.ack(messages) == []
    assert ours.recent() == 10
    assert list(ours._acked) == [str(n) for n in range(90, 100)]


def test_a_pattern_matches_one_name_only():
    """What a name holds that means something in a pattern means itself."""
    topic = names.read("a.b+c", "s").tasks
    assert topic.pattern.fullmatch(topic.full)
    assert not topic.pattern.fullmatch(topic.full.replace(".", "x"))


def test_a_path_is_quoted():
    """A name with a slash or a space is one part of the admin API's path."""
    assert names.read("t/n/a b/c", "s").tasks.path == "persistent/t/n/a%20b%2Fc"


@given(st.dictionaries(st.integers(1, 500), st.integers(0, 2**60) | st.binary(max_size=300)))
def test_what_is_written_is_read(fields):
    """Numbers and byte strings of any length come out as they went in."""
    assert protobuf.read(protobuf.write(fields)) == fields


def test_what_is_cut_off_is_an_error():
    """A field whose number does not end."""
    with pytest.raises(ValueError, match="cut off"):
        protobuf.read(b"\x08\xff")


def answered(answer):
    """Greet somebody who says this to whatever he hears."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            wire, _ = server.accept()
            with wire:
                wire.recv(1000)
                wire.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            return greet(Access(f"pulsar://127.0.0.1:{server.getsockname()[1]}", token="a-token"))
        finally:
            thread.join(10)


def command(fields):
    """Frame a command."""
    raw = protobuf.write(fields)
    return struct.pack(">II", len(raw) + 4, len(raw)) + raw


@pytest.mark.parametrize(
    ("said", "size"), [({}, 5 << 20), ({3: 0}, 5 << 20), ({3: 1 << 20}, 1 << 20), ({3: b"x"}, 5 << 20)]
)
def test_who_is_let_in_hears_how_large_a_message_may_be(said, size):
    """A broker that says it is connected; where it does not say more, it is one that takes what is usual."""
    assert answered(command({1: 3, 3: protobuf.write(said)})) == size


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (command({1: 14, 14: protobuf.write({1: 1, 2: 3, 3: b"bad signature"})}), EngineError, "bad signature"),
        (command({1: 14, 14: protobuf.write({1: 1, 2: 6, 3: b"later"})}), EngineUnavailable, "later"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", EngineUnavailable, "no Pulsar broker"),
        (command({1: 99}), EngineUnavailable, "no Pulsar broker"),
        (b"", EngineUnavailable, "closed before an answer"),
    ],
)
def test_what_else_is_said_is_an_error(answer, kind, said):
    """A refusal is for good; anything else may be an outage, and says what came. The token is in none of them."""
    with pytest.raises(kind, match=said) as error:
        answered(answer)
    assert isinstance(error.value, EngineUnavailable) == (kind is EngineUnavailable)
    assert "a-token" not in str(error.value)


def test_one_of_several_brokers_is_enough():
    """The first that answers."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(EngineUnavailable, match="refused"):
        greet(Access(f"pulsar://127.0.0.1:{port},127.0.0.1:{port}"))
