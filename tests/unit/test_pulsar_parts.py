"""The parts of the pulsar engine that need no broker: names, the little of protocol buffers, the handshake, the inbox's turns."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.errors import EngineError, EngineUnavailable

pytest.importorskip("pulsar")

from minionize.engines.pulsar import names, protobuf
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
            greet(Access(f"pulsar://127.0.0.1:{server.getsockname()[1]}", token="a-token"))
        finally:
            thread.join(10)


def command(fields):
    """Frame a command."""
    raw = protobuf.write(fields)
    return struct.pack(">II", len(raw) + 4, len(raw)) + raw


def test_who_is_let_in_hears_nothing():
    """A broker that says it is connected."""
    answered(command({1: 3, 3: b""}))


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
