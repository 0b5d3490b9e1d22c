"""The address of a server, a connection to it, and the one place where Redis's errors become ours.

One command at a time is on its way, and none is ever sent twice by itself: most of what we send would not be harmless then.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as NoAnswerError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from minionize.engines.redis.scripts import Script, script
from minionize.errors import EngineError, EngineUnavailable, UsageError
from minionize.masks import MASK, mask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Seconds until a server that does not answer is believed to be gone; ``?socket_timeout=`` in the URL says otherwise.
TIMEOUT = 5.0
#: What a URL must not change: we send and read bytes, in the older protocol, once.
_OURS = ("protocol", "decode_responses", "encoding", "encoding_errors", "retry", "retry_on_timeout", "retry_on_error")
_EXAMPLES = "  For example:  REDIS_URL=redis://:PASSWORD@localhost:6379/0   or   redis+sentinel://host:26379/SERVICE/0"
#: Refusals that say: not now, but maybe soon. (The client takes some words away where it makes a class of them.)
_PASSING = (ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError)
_PASSING_WORDS = ("NOREPLICAS", "BUSY ", "UNKILLABLE", "MISCONF", "READONLY", "LOADING", "MASTERDOWN")
_FORBIDDEN = ("NOPERM", "ACL failure", "can't run this command", "can't access")


class NoGroupError(EngineError):
    """The stream or its group is not there any more."""


class ForbiddenError(EngineError):
    """The server does not allow this user that command."""


class Address(NamedTuple):
    """A URL, and what it says: connections come from ``pool``."""

    url: str
    pool: ConnectionPool

    @property
    def shown(self) -> str:
        """The URL without secrets and options."""
        return mask(self.url.partition("?")[0])

    def connection(self) -> Any:
        """Make a connection, which is not connected yet; the pool would count them, and refuse the hundredth."""
        return self.pool.connection_class(**self.pool.connection_kwargs)

    @property
    def timeout(self) -> float:
        """Seconds until a server that does not answer is believed to be gone."""
        return float(self.pool.connection_kwargs.get("socket_timeout") or TIMEOUT)


def read_url(url: str) -> Address:
    """Read REDIS_URL; raises UsageError."""
    scheme = url.partition("://")[0]
    try:
        if scheme in ("redis+cluster", "rediss+cluster"):
            raise cluster(mask(url))
        by_sentinel = scheme in ("redis+sentinel", "rediss+sentinel")
        address = Address(url, _sentinel_pool(url, tls=scheme.startswith("rediss")) if by_sentinel else _pool(url))
        address.connection()  # which is a TypeError where it does not know an option
    except (ValueError, TypeError):  # whose words may hold a piece of the password
        shown = mask(url) if "://" in url else MASK  # with a slash too few it may hold a password too
        raise UsageError(f"REDIS_URL={shown} is no address of a Redis server.\n{_EXAMPLES}") from None
    return address


def _pool(url: str) -> ConnectionPool:
    parsed = parse_url(url)  # type: ignore[no-untyped-call]
    if "path" not in parsed:
        int(urlsplit(url).path.strip("/") or 0)  # the client would take the database 0 for one that is no number
    return ConnectionPool(**_options(parsed))


def _options(parsed: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in parsed.items() if name not in _OURS}
    network = {} if "path" in given else {"socket_keepalive": True, "socket_connect_timeout": TIMEOUT}
    return {
        "socket_timeout": TIMEOUT,
        **network,
        **given,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
    }


def _sentinel_pool(url: str, *, tls: bool) -> SentinelConnectionPool:
    """Read ``redis+sentinel://[user:pass@]host[:port][,host...]/SERVICE[/db][?option=value]``."""
    parts = urlsplit(url)
    service, _, db = parts.path.strip("/").partition("/")
    credentials, _, hosts = parts.netloc.rpartition("@")
    if not service or not hosts:
        raise ValueError("it names no sentinel host, or no service")
    parsed = parse_url(f"{'rediss' if tls else 'redis'}://{credentials}@host/{int(db or 0)}?{parts.query}")  # type: ignore[no-untyped-call]
    parsed.pop("connection_class", None)
    parsed.pop("host", None)
    own = {name.removeprefix("sentinel_"): parsed.pop(name) for name in list(parsed) if name.startswith("sentinel_")}
    options = _options(parsed)
    shared = {name: value for name, value in options.items() if name.startswith(("socket_", "ssl"))}
    if tls:
        options["ssl"] = shared["ssl"] = True
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_host_and_port(host) for host in hosts.split(",")],
        sentinel_kwargs={**shared, "protocol": 2, "retry": Retry(NoBackoff(), 0), **own},
    )
    return SentinelConnectionPool(unquote(service), sentinel, **options)  # type: ignore[no-untyped-call]


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "26379"
    return host.strip("[]"), int(port)


class Wire:
    """A connection, used by one thread; it is made when it is needed, and made again after it broke."""

    def __init__(self, address: Address, greet: Callable[[], object] | None = None) -> None:
        """Remember where to; nothing is sent yet. ``greet`` is called whenever the connection was made."""
        self._address, self._greet = address, greet
        self._connection: Any = None
        self.number = ""  # the server's number of this connection, where it was asked for

    def command(self, *words: Any) -> Any:
        """Send a command and read the answer; raises EngineUnavailable, EngineError, NoGroupError."""
        try:
            self._send(*words)
            return self._answer()
        except (RedisError, OSError) as error:
            self._fail(error)

    def run(self, name: str, key: str, words: Sequence[Any]) -> list[Any]:
        """Run a script."""
        made: Script = script(name)
        try:
            self._send("EVALSHA", made.sha, 1, key, *words)
            try:
                return self._answer()  # type: ignore[no-any-return]
            except NoScriptError:  # a server that was restarted has forgotten it
                self._send("EVAL", made.text, 1, key, *words)
                return self._answer()  # type: ignore[no-any-return]
        except (RedisError, OSError) as error:
            self._fail(error)

    def begin(self, *words: Any) -> None:
        """Send a command whose answer is waited for by :meth:`ready` and read by :meth:`end`."""
        try:
            self._send(*words)
        except (RedisError, OSError) as error:
            self._fail(error)

    def ready(self, timeout: float, *others: int) -> bool:
        """Wait for the answer, up to ``timeout`` seconds, or until one of these descriptors is readable."""
        until = time.monotonic() + timeout
        try:
            while True:
                left = max(0.0, until - time.monotonic())
                readable = readable_of(self._socket(), *others, timeout=left)
                if not readable or readable.intersection(others):
                    return False
                if self._connection.can_read(0):  # not the end of a TLS handshake
                    return True
        except (RedisError, OSError) as error:
            self._fail(error)

    def end(self) -> Any:
        """Read the answer to :meth:`begin`."""
        try:
            return self._answer()
        except (RedisError, OSError) as error:
            self._fail(error)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            try:
                self._connection.disconnect()
            except (RedisError, OSError):
                pass
            self._connection = None

    def open(self) -> None:
        """Connect, where we are not."""
        try:
            self._connect()
        except (RedisError, OSError) as error:
            self._fail(error)

    # ------------------------------------------------------------------ one command

    def _connect(self) -> None:
        if self._connection is None:
            connection = self._address.connection()
            connection.connect()
            self._connection, self.number = connection, ""
            try:
                if self._greet:
                    self._greet()
            except BaseException:
                self.close()  # the next connection begins with a greeting too
                raise
        elif self._is_stale():
            self.close()
            self._connect()

    def _is_stale(self) -> bool:
        """Whether the server closed the connection while we had nothing to say: nothing else can be read then."""
        try:
            return bool(readable_of(self._socket(), timeout=0) and self._connection.can_read(0))
        except (RedisError, OSError):
            return True

    def _socket(self) -> int:
        """Tell the descriptor to wait on; -1 where the client let go of its socket."""
        socket = self._connection._sock  # noqa: SLF001 - the client has no other way to wait for two things at once
        return -1 if socket is None else int(socket.fileno())

    def _send(self, *words: Any) -> None:
        self._connect()
        self._connection.send_command(*words, check_health=False)

    def _answer(self) -> Any:
        answer = self._connection.read_response()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _fail(self, error: Exception) -> NoReturn:
        if not isinstance(error, ResponseError):
            self.close()  # an answer that comes too late must not be taken for that to the next command
        raise translated(error, self._address) from error


def readable_of(*descriptors: int, timeout: float) -> set[int]:
    """Wait up to ``timeout`` seconds until one of these can be read. ``select`` takes no number over 1023."""
    if -1 in descriptors:
        return {-1}
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)}


def translated(error: Exception, address: Address) -> EngineError | UsageError:
    """Make an error of ours of what the client raised."""
    words, where = str(error).partition("\n")[0], f"the Redis server {address.shown}"
    if isinstance(error, NoPermissionError) or any(mark in words for mark in _FORBIDDEN):
        return ForbiddenError(
            f"{where} forbids its user what a queue needs: {words}\n"
            f"  Give it that:  ACL SETUSER NAME ~STREAM* +@stream +@sortedset +@hash +@string +@keyspace +@scripting"
            f" +@connection +info +time"
        )
    if "without any password configured" in words:
        return EngineError(f"{where} has no password.\n  Leave it out of the URL:  REDIS_URL=redis://host:6379/0")
    if isinstance(error, AuthenticationError) or words.startswith(("NOAUTH", "WRONGPASS")) or "Authentication" in words:
        return EngineError(
            f"{where} refuses us: {words.rstrip('.')}.\n  Give the password in the URL:  REDIS_URL=redis://:PASSWORD@host:6379/0"
        )
    if isinstance(error, ResponseError):
        return _refusal(error, words, where)
    if "CERTIFICATE_VERIFY_FAILED" in words or "certificate verify failed" in words:
        return EngineError(
            f"{where} has a certificate that we cannot trust: {words}\n"
            f"  Name the authority that signed it:  REDIS_URL='rediss://host:6379/0?ssl_ca_certs=/path/to/ca.crt'"
        )
    if "WRONG_VERSION_NUMBER" in words or "record layer" in words:
        return EngineError(f"{where} does not speak TLS: {words}\n  REDIS_URL=redis://... (with one s) speaks plainly.")
    if isinstance(error, NoAnswerError):
        handshake = address.url.startswith("rediss") and "connecting" in words
        hint = "\n  Does it speak TLS?  REDIS_URL=redis://... (with one s) speaks plainly." if handshake else ""
        return EngineUnavailable(f"{where} does not answer: {words}{hint}")
    if isinstance(error, MasterNotFoundError):  # whose words are the client's objects
        service = words.partition(" : ")[0].removeprefix("No master found for ")
        return EngineUnavailable(
            f"{where} tells no master of {service}: no sentinel answers, or none knows that service."
        )
    if isinstance(error, (LostConnectionError, OSError)):
        return EngineUnavailable(f"{where} cannot be reached: {words}{_hint(words, address.url)}")
    return EngineError(f"{where}: {type(error).__name__}: {words}")


def _refusal(error: ResponseError, words: str, where: str) -> EngineError:
    """Say what an error that the server itself told means."""
    if "NOGROUP" in words or "no such key" in words or words.startswith("UNBLOCKED"):
        return NoGroupError(f"{where}: {words}")
    if isinstance(error, OutOfMemoryError) or "maxmemory" in words:
        return EngineUnavailable(
            f"{where} is full: {words}\n"
            f"  Give it more:  redis-cli CONFIG SET maxmemory ...\n"
            f"  What is done makes room for its param only: about 200 bytes of each task stay until  minion-queue clear"
        )
    if isinstance(error, (MovedError, AskError)):
        return cluster(where)
    if "WRONGTYPE" in words:
        return EngineError(f"{where} has something else under one of our keys: {words}\n  Choose another REDIS_STREAM.")
    if "'SENTINEL'" in words:
        return EngineError(f"{where} is no sentinel.\n  Name a plain server by  REDIS_URL=redis://host:6379/0")
    if isinstance(error, _PASSING) or any(mark in words for mark in _PASSING_WORDS):
        return EngineUnavailable(f"{where} cannot be used now: {words}")
    return EngineError(f"{where} refused: {words}")


def _hint(words: str, url: str) -> str:
    if "refused" in words:
        return "\n  Is it running? Start one:  redis-server      or point to it:  REDIS_URL=redis://host:6379/0"
    if ("reset by peer" in words or "Broken pipe" in words) and url.startswith("redis://"):
        return (
            "\n  Does it want TLS?  REDIS_URL=rediss://... (with two s) speaks it."
            "\n  Without a password it may be in protected mode, and talk to its own host only:  redis-cli CONFIG SET requirepass ..."
        )
    if "No such file" in words and url.startswith("rediss"):
        return "\n  The files that the URL names (ssl_ca_certs=...) must be on this machine."
    return ""


def cluster(where: str) -> EngineError:
    """Refuse a Redis Cluster."""
    return EngineError(
        f"{where} is a Redis Cluster, which minionize cannot use: a queue is several keys that must be on one node.\n"
        f"  Use a single server, or several under Sentinel:  REDIS_URL=redis+sentinel://host:26379/SERVICE/0"
    )
