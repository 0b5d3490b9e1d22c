"""One handshake of our own, before the client's: it would try again and again, and tell a wrong token as a timeout.

A command of Pulsar's protocol is its length, twice, and a protocol buffer. We say who we are, and read what is said to that.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from minionize.engines.pulsar import protobuf
from minionize.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from minionize.engines.pulsar.connect import Access

#: Seconds that a broker may take to be reached, and to answer.
TIMEOUT = 3.0
PORTS = {"pulsar": 6650, "pulsar+ssl": 6651, "http": 8080, "https": 443}
#: Bytes that a message may have, properties and all, where a broker does not say.
USUAL_SIZE = 5 * 1024 * 1024
#: Pulsar's numbers: of commands, of the fields that hold them, of errors, of the oldest protocol with all that we need.
_CONNECT, _CONNECTED, _ERROR, _CHALLENGE = 2, 3, 14, 36
_MAX_SIZE = 3
_AUTHENTICATION, _AUTHORIZATION = 3, 4
_PROTOCOL = 12
_LONGEST = 1 << 20


def greet(access: Access) -> int:
    """See that a broker is there and lets us in; raises EngineUnavailable, EngineError. Returns how large messages may be."""
    scheme, _, rest = access.url.partition("://")
    reason = ""
    for host in rest.partition("/")[0].split(","):
        name, colon, port = host.rpartition(":")
        if not colon or port.endswith("]"):
            name, port = host, str(PORTS[scheme])
        try:
            return _greet(access, scheme, name.strip("[]"), int(port))
        except (OSError, ValueError) as error:
            _refuse_certificate(error, access)
            reason = str(error) or type(error).__name__
    hint = "\n  Is it TLS that they speak there?" if scheme == "pulsar+ssl" else ""
    raise EngineUnavailable(
        f"the Pulsar brokers at {access.shown} cannot be reached: {reason}{hint}\n"
        f"  Are they running? Start one:  bin/pulsar standalone      or point to them:  PULSAR_CONNECTION=pulsar://host:6650"
    )


def _greet(access: Access, scheme: str, host: str, port: int) -> int:
    with socket.create_connection((host, port), TIMEOUT) as plain:
        if scheme not in ("pulsar", "pulsar+ssl"):
            return USUAL_SIZE  # it speaks HTTP, and tells who speaks the rest
        if scheme == "pulsar":
            return _talk(access, plain)
        with access.tls().wrap_socket(plain, server_hostname=host) as secure:
            return _talk(access, secure)


def _talk(access: Access, wire: socket.socket) -> int:
    token = access.current_token()
    method = b"token" if token else b"tls" if access.certificate else b"none"
    hello = protobuf.write({1: b"minionize", 3: (token or "").encode(), 4: _PROTOCOL, 5: method})
    command = protobuf.write({1: _CONNECT, 2: hello})
    wire.sendall(struct.pack(">II", len(command) + 4, len(command)) + command)
    total, size = struct.unpack(">II", _exactly(wire, 8))
    if not size <= total <= _LONGEST:
        raise ValueError("what listens there is no Pulsar broker")
    answer = protobuf.read(_exactly(wire, size))
    if answer.get(1) == _ERROR:
        _refuse(access, answer.get(_ERROR))
    elif answer.get(1) not in (_CONNECTED, _CHALLENGE):
        raise ValueError("what listens there is no Pulsar broker")
    connected = answer.get(_CONNECTED)
    size = protobuf.read(connected).get(_MAX_SIZE) if isinstance(connected, bytes) else None
    return size if isinstance(size, int) and size > 0 else USUAL_SIZE


def _exactly(wire: socket.socket, size: int) -> bytes:
    raw = b""
    while len(raw) < size:
        piece = wire.recv(size - len(raw))
        if not piece:
            raise ConnectionError(
                "the connection was closed before an answer: is TLS wanted there, or something else spoken?"
            )
        raw += piece
    return raw


def _refuse(access: Access, error: object) -> None:
    """Raise what the broker says."""
    fields = protobuf.read(error) if isinstance(error, bytes) else {}
    message = fields.get(3, b"")
    words = message.decode("utf-8", "replace") if isinstance(message, bytes) else ""
    if fields.get(2) not in (_AUTHENTICATION, _AUTHORIZATION):
        raise EngineUnavailable(f"the Pulsar brokers at {access.shown} cannot be used now: {words}")
    given = "PULSAR_TOKEN" if access.token else "PULSAR_TLS_CERT" if access.certificate else ""
    what = f"What {given} says is refused" if given else "They want to know who we are"
    raise EngineError(
        f"the Pulsar brokers at {access.shown} refuse us: {words}\n"
        f"  {what}: set PULSAR_TOKEN (a text, or file:///path), or PULSAR_TLS_CERT and PULSAR_TLS_KEY."
    )


def _refuse_certificate(error: Exception, access: Access) -> None:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise EngineError(
            f"the Pulsar brokers at {access.shown} have a certificate that we cannot trust: {error}\n"
            f"  Name who signed it:  PULSAR_TLS_CA=/path/to/ca.crt"
        ) from error
    if "CERTIFICATE" in str(error) or "PEM" in str(error) or "KEY_VALUES_MISMATCH" in str(error):
        raise EngineError(f"PULSAR_TLS_CERT and PULSAR_TLS_KEY are no good for {access.shown}: {error}") from error
