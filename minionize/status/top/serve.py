"""``mtop --serve``: the dashboard in a browser.

Whoever opens the page starts an ``mtop`` of its own, on this machine and as this user. So the server listens on the loopback
unless it is told otherwise, and the address that is printed holds a key, without which nobody is let in: on a login node the
loopback is everybody's, and any page in the user's own browser can reach it too. The key becomes a cookie that browsers
do not send for pages of other hosts (``SameSite=Strict``). They do for pages of other ports of this host, which is why
requests that name another origin are turned away.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import shlex
import socket
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web
from textual_serve.server import Server

from minionize.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.typedefs import Handler, Middleware

COOKIE = "mtop"
#: Seconds that programs get to leave, when the server ends.
FAREWELL = 5.0
_GLANCE = 0.05


def serve(address: str, command: Sequence[str], *, allow_actions: bool) -> int:
    """Serve until Ctrl-C; ``command`` is run for each browser. Raises UsageError for an address that cannot be listened at."""
    host, port = parsed(address)
    _check(host, port)
    key = secrets.token_urlsafe(16)
    server = Doorkept(shlex.join(command), host, port, key)
    for line in announcement(host, server.public_url, key, allow_actions=allow_actions):
        print(line, file=sys.stderr)
    server.serve()
    return 0


def parsed(address: str) -> tuple[str, int]:
    """Take ``HOST:PORT``, ``:PORT``, ``PORT`` or ``[::1]:PORT`` apart; raises UsageError."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "localhost"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--serve {address}: {port!r} is no port\n  As in:  mtop --serve localhost:8000")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host's name or address."""
    try:
        found = {ip_address(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, ValueError):
        return False
    return bool(found) and all(address.is_loopback for address in found)


def named(host: str) -> str:
    """Name a host as an address of a page has it: where any address is listened at, by this machine's name."""
    try:
        if ip_address(host).is_unspecified:
            return socket.gethostname()
    except ValueError:
        return host
    return f"[{host}]" if ":" in host else host


def announcement(host: str, url: str, key: str, *, allow_actions: bool) -> list[str]:
    """Say where it is, and what that means."""
    may = "retry, release, cancel and drain" if allow_actions else "look, and change nothing"
    lines = [f"mtop: open  {url}/?key={key}", f"  Whoever has this address may {may}; Ctrl-C ends it."]
    if not is_loopback(host):
        lines += [
            f"mtop: WARNING: {host} can be reached from other machines, and nothing is encrypted: params, errors and the key",
            "  can be read on the way. Better:  mtop --serve     and, where the browser is:  ssh -L 8000:localhost:8000 HOST",
        ]
    return lines


class Doorkept(Server):
    """Lets those in who have the key."""

    def __init__(self, command: str, host: str, port: int, key: str) -> None:
        """Serve a command."""
        shown = named(host)
        super().__init__(command, host, port, title="mtop", public_url=f"http://{shown}:{port}")
        self._key = key
        self._visits: set[asyncio.Task[object]] = set()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._door())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: it was said."""

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Remember who is here, to be able to say goodbye."""
        visit = asyncio.current_task()
        assert visit is not None  # noqa: S101 - a handler always has one
        self._visits.add(visit)
        try:
            return await super().handle_websocket(request)
        finally:
            self._visits.discard(visit)

    async def on_shutdown(self, app: web.Application) -> None:
        """End the programs of those who are still here, while there is a loop to do it in."""
        for visit in self._visits:
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits, timeout=FAREWELL)
        await _childless(FAREWELL)

    def initialize_logging(self) -> None:
        """Log nothing: it would be every request."""

    def _door(self) -> Middleware:
        # Cookies do not tell ports apart: two servers on a host would take each other's.
        name = f"{COOKIE}-{self.port}"

        @web.middleware
        async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
            if _is_from_elsewhere(request):
                return web.Response(status=403, text="This page answers to itself only.\n")
            if self._fits(request.cookies.get(name, "")):
                return await handler(request)
            if self._fits(request.query.get("key", "")):
                answer = web.Response(status=302, headers={"Location": "/"})
                answer.set_cookie(name, self._key, httponly=True, samesite="Strict")
                return answer
            return web.Response(status=403, text="This page has a key: open the address that mtop --serve printed.\n")

        return door

    def _fits(self, key: str) -> bool:
        return hmac.compare_digest(key.encode(errors="surrogateescape"), self._key.encode())


def _is_from_elsewhere(request: web.Request) -> bool:
    """Tell whether another page asks: browsers name it, for a websocket always."""
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


async def _childless(patience: float) -> None:
    """Wait until all our children have been reaped: a loop that is closed before complains of them at length."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while loop.time() < end:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # noqa: ASYNC222 - it does not block
        except ChildProcessError:
            end = 0.0
        await asyncio.sleep(_GLANCE)  # also after the last one: the loop has yet to hear of it


def _check(host: str, port: int) -> None:
    """Find out at once whether it can be listened there: the server would say so with a traceback."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(address)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}: {error.strerror}\n  Another port:  mtop --serve localhost:8001"
        ) from None
