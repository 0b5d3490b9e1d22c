"""The brokers' admin API, by HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from minionize.errors import EngineError, EngineUnavailable, UsageError
from minionize.masks import mask

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from minionize.engines.pulsar.connect import Access

#: Seconds that an answer may take.
TIMEOUT = 5.0
#: Statuses that say: not now. (412 is how a broker says that nobody serves a topic yet.)
_PASSING = (408, 412, 429)
#: A broker that does not own a topic says which one does.
_REDIRECTS = 5


class Admin:
    """Asks the admin API; what it says is not there is None."""

    def __init__(self, url: str, access: Access) -> None:
        """Remember where and who; raises UsageError where that is no address."""
        if not _is_address(url):
            raise UsageError(
                f"PULSAR_ADMIN={mask(url)} is no address of the admin API.\n  For example:  PULSAR_ADMIN=http://localhost:8080"
            )
        self._url, self._access = url.rstrip("/"), access

    def get(self, path: str) -> Any:
        """Read; None where there is no such thing."""
        status, text = self._ask("GET", path)
        return None if status == 404 else self._value(status, text)

    def put(self, path: str, body: Any = None) -> None:
        """Make; what is there already is left as it is."""
        self._change("PUT", path, body)

    def post(self, path: str) -> None:
        """Do."""
        self._change("POST", path, None)

    def _change(self, method: str, path: str, body: Any) -> None:
        status, text = self._ask(method, path, body)
        if status not in (404, 409):
            self._value(status, text)

    def _value(self, status: int, text: str) -> Any:
        shown = f"the admin API of Pulsar at {mask(self._url)}"
        if status in (401, 403):
            raise EngineError(
                f"{shown} refuses us: {_reason(text, status)}\n"
                f"  PULSAR_TOKEN (or PULSAR_TLS_CERT and PULSAR_TLS_KEY) must be of a role that may ask it; unset PULSAR_ADMIN"
                f" to do without counts."
            )
        if status >= 500 or status in _PASSING:
            raise EngineUnavailable(f"{shown} cannot answer now: {_reason(text, status)}")
        if status >= 300:
            raise EngineError(f"{shown} refused: {_reason(text, status)}\n  PULSAR_ADMIN is where brokers serve HTTP.")
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise EngineError(f"{shown} is something else: its answer is no JSON") from None

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Send a request, and again to whom the answer names; returns the status and the text."""
        from http.client import HTTPException

        url = f"{self._url}/admin/v2/{path}"
        payload = None if body is None else json.dumps(body)
        try:
            for _ in range(_REDIRECTS):
                status, target, text = self._send(method, url, payload)
                if not (300 <= status < 400 and target):
                    break
                url = urljoin(url, target)
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error
        return status, text

    def _send(self, method: str, url: str, payload: str | None) -> tuple[int, str | None, str]:
        parts = urlsplit(url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        try:
            token = self._access.current_token()
            headers = {"Content-Type": "application/json"} if payload is not None else {}
            headers |= {"Authorization": f"Bearer {token}"} if token else {}
            connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, payload, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location"), answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        if scheme != "https":
            return HTTPConnection(host, port, timeout=TIMEOUT)
        return HTTPSConnection(host, port, timeout=TIMEOUT, context=self._access.tls())

    def _unreachable(self, error: Exception) -> EngineError:
        shown = f"the admin API of Pulsar at {mask(self._url)}"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return EngineError(
                f"{shown} has a certificate that we cannot trust: {error}\n  Name who signed it:  PULSAR_TLS_CA=/path/to/ca.crt"
            )
        return EngineUnavailable(
            f"{shown} cannot be reached: {error}\n  Point to it by PULSAR_ADMIN=http://host:8080, or unset that to do without counts."
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _reason(text: str, status: int) -> str:
    """Read what the answer gives as its reason."""
    try:
        return str(json.loads(text)["reason"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {status}"
