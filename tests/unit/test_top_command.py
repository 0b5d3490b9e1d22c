"""``mtop`` as it is typed: what it refuses, how it ends, and what it serves to browsers."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from minionize.cli import top
from minionize.errors import UsageError
from minionize.status.top import program, serve


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty directory, at a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "has_screen", lambda: True)
    return tmp_path


def test_neither_queue_nor_events(here, monkeypatch, capsys):
    """Exit 5, with what to type, as minion-status does; nothing is made."""
    monkeypatch.setattr(program, "show", lambda *args: program.NOTHING)
    assert top.main([]) == 5
    assert "mtop: no queue here and no events in ./minion-report." in capsys.readouterr().err
    assert os.listdir(here) == []


def test_what_the_program_is_given(here, monkeypatch):
    """The directory, the pace, the characters, and why nothing may be changed."""
    given = []
    monkeypatch.setattr(program, "show", lambda *args: given.append(args) or "")
    (here / "kept").mkdir()
    assert top.main([]) == 0
    assert top.main(["--readonly", "--refresh", "500ms", "--utc", "--ascii", "kept"]) == 0
    (files, _, style, readonly, pace), (kept, _, ascii, why, fast) = given
    assert (files.directory, readonly, pace) == ("minion-report", "", 2.0)
    assert (kept.directory, why, fast) == ("kept", "mtop was started with --readonly", 0.5)
    assert (ascii.unicode, ascii.clock.__name__, style.clock.__name__) == (False, "gmtime", "localtime")


@pytest.mark.parametrize("argument", ["--refresh=0.1", "--refresh=x", "--where=x"])
def test_a_bad_argument_is_a_usage_error(here, argument, capsys):
    """Exit 2."""
    with pytest.raises(SystemExit) as ended:
        top.main([argument])
    assert ended.value.code == 2
    assert "mtop --help" in capsys.readouterr().err


def test_a_directory_that_is_named_must_be_there(here, capsys):
    """It is a typo, not an empty report."""
    assert top.main(["minion-reprot"]) == 2
    assert "mtop: there is no directory minion-reprot" in capsys.readouterr().err


def test_it_needs_a_terminal(here, monkeypatch, capsys):
    """And names what does not."""
    monkeypatch.undo()
    assert top.main([]) == 2
    assert "mtop needs a terminal.\n  In a pipe or a file:  minion-status --watch" in capsys.readouterr().err


def test_the_queue_is_opened_as_it_is(here, monkeypatch):
    """Nothing is made, and nobody's standard input is read."""
    opened = []
    monkeypatch.setattr(program, "show", lambda files, open, *rest: opened.append(open) or "")
    assert top.main([]) == 0
    assert top.main(["--engine", "file"]) == 0
    for open in opened:
        with pytest.raises(Exception, match="no queue|somebody's own"):
            open()
    assert os.listdir(here) == []


@pytest.mark.parametrize(("lacking", "arguments"), [("textual", []), ("textual_serve", ["--serve"])])
def test_what_is_not_installed_is_named_with_its_cure(here, lacking, arguments, monkeypatch, capsys):
    """Only mtop needs it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == lacking]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, lacking, None)
    assert top.main(arguments) == 2
    said = capsys.readouterr().err
    assert f"mtop needs the package {lacking.replace('_', '-')}, which is not installed." in said
    assert "pip install 'minionize[top]'" in said


def test_help_does_not_load_what_draws():
    """It is for those who have not installed it yet, too."""
    code = "import sys; from minionize.cli import top; top._parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"textual", "rich", "aiohttp"} & set(done.stdout.split())


# ---------------------------------------------------------------------------------------------- in a browser


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("localhost:8000", ("localhost", 8000)),
        (":9000", ("localhost", 9000)),
        ("9000", ("localhost", 9000)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
    ],
)
def test_addresses(given, parsed):
    """A host, a port, or both."""
    assert serve.parsed(given) == parsed


@pytest.mark.parametrize("given", ["", "localhost", "localhost:", "h:0", "h:65536", "h:x", "h:٣"])
def test_what_is_no_address(given):
    """Is said."""
    with pytest.raises(UsageError, match="is no port"):
        serve.parsed(given)


def test_an_address_that_is_taken_is_said():
    """Before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            serve.serve(f"127.0.0.1:{port}", ["mtop"], allow_actions=False)


def test_who_can_reach_it_is_said():
    """Loudly where other machines can."""
    quiet = serve.announcement("localhost", "http://localhost:8000", "KEY", allow_actions=False)
    assert quiet[0] == "mtop: open  http://localhost:8000/?key=KEY"
    assert "may look, and change nothing" in quiet[1]
    assert len(quiet) == 2
    loud = serve.announcement("0.0.0.0", "http://here:8000", "KEY", allow_actions=True)
    assert "may retry, release, cancel and drain" in loud[1]
    assert loud[2].startswith("mtop: WARNING: 0.0.0.0 can be reached from other machines")


def test_the_loopback():
    """By name or number; what cannot be found is none."""
    assert [serve.is_loopback(host) for host in ("localhost", "127.0.0.2", "::1")] == [True] * 3
    assert [serve.is_loopback(host) for host in ("0.0.0.0", "192.0.2.1", "no.such.host.invalid")] == [False] * 3


def test_where_any_address_is_listened_at_the_machine_is_named():
    """A browser cannot go to 0.0.0.0."""
    assert serve.named("0.0.0.0") == serve.named("::") == socket.gethostname()
    assert (serve.named("::1"), serve.named("localhost")) == ("[::1]", "localhost")


def visited(visit):
    """Serve a program on a free port and let somebody visit it; returns what that came to."""

    async def run():
        app = await serve.Doorkept("echo", "localhost", 8000, "KEY")._make_app()
        async with TestServer(app) as server, aiohttp.ClientSession(str(server.make_url("/"))) as session:
            return await visit(session)

    return asyncio.run(run())


def test_nobody_gets_in_without_the_key():
    """Neither to the page nor to what starts a program: another user of the host, or a page of another site."""

    async def visit(session):
        found = {}
        for path in ("/", "/ws", "/?key=WRONG", "/?key=", "/static/js/textual.js", "/?key=\u00e9"):
            async with session.get(path, cookies={"mtop-8000": "WRONG"}) as answer:
                found[path] = answer.status
        return found

    assert set(visited(visit).values()) == {403}


def test_a_cookie_of_any_bytes_is_a_wrong_one():
    """It is no fault of ours."""

    async def visit(session):
        async with session.get("/", headers={"Cookie": "mtop-8000=\udce9"}) as answer:
            return answer.status

    assert visited(visit) == 403


def test_a_page_of_another_port_gets_nothing_with_the_key():
    """To browsers it is the same site: they send the cookie along, and name the page."""

    async def visit(session):
        found = []
        for host in ("localhost:9000", "evil.example", "", f"127.0.0.1:{session._base_url.port}"):
            async with session.get("/", headers={"Cookie": "mtop-8000=KEY", "Origin": f"http://{host}"}) as answer:
                found.append(answer.status)
        return found

    assert visited(visit) == [403, 403, 403, 200]


def test_the_key_becomes_a_cookie_of_this_page_alone():
    """It is not in the address any more, no script reads it, and no other site can use it."""

    async def visit(session):
        async with session.get("/?key=KEY", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "/")
            cookie = answer.headers["Set-Cookie"]
        async with session.get("/", cookies={"mtop-8000": "KEY"}) as answer:
            assert answer.status == 200
        return cookie

    cookie = visited(visit)
    assert cookie.startswith("mtop-8000=KEY;")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_leaving_ends_the_programs_of_those_who_are_here(tmp_path):
    """And waits for them, so that nothing complains."""
    script = tmp_path / "program"
    script.write_text("#!/bin/sh\necho __GANGLION__\necho $$ > pid\nhead -c 1 > told\n")
    script.chmod(0o755)

    async def run():
        app = await serve.Doorkept(f"cd {tmp_path}; exec ./program", "localhost", 8000, "KEY")._make_app()
        async with TestServer(app) as server, aiohttp.ClientSession(str(server.make_url("/"))) as session:
            visit = await session.ws_connect("/ws", headers={"Cookie": "mtop-8000=KEY"})
            browser = asyncio.create_task(visit.receive())
            async with asyncio.timeout(30):
                while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process makes it
                    await asyncio.sleep(0.01)
            await server.close()
            await browser

    asyncio.run(run())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def served(monkeypatch, *arguments):
    """Return the command that ``mtop --serve`` would run for a browser."""
    made = []
    monkeypatch.setattr(serve, "serve", lambda address, command, **how: made.append((address, command, how)) or 0)
    assert top.main(["--serve", *arguments]) == 0
    return made[0]


def test_a_browser_may_only_look_unless_it_is_allowed_more(here, monkeypatch):
    """And gets what was asked for here; a name that looks like an option is none."""
    (here / "-x y").mkdir()
    address, command, how = served(monkeypatch, "localhost:1", "--utc", "--engine", "sqlite", "--", "-x y")
    assert (address, how) == ("localhost:1", {"allow_actions": False})
    assert command[1:] == [
        *("-P", "-m", "minionize.cli.top", "--readonly", "--refresh", "2", "--utc", "--engine=sqlite", "--", "-x y")
    ]
    assert top._parser().parse_args(command[4:]).readonly
    assert shlex.split(shlex.join(command)) == command
    _, command, how = served(monkeypatch, "localhost:1", "--allow-actions")
    assert ("--readonly" in command, how) == (False, {"allow_actions": True})
    _, command, _ = served(monkeypatch, "localhost:1", "--allow-actions", "--readonly")
    assert "--readonly" in command


def test_a_program_ends_with_the_server_that_started_it(tmp_path):
    """Also where it is too busy to notice: nothing of it stays."""
    busy = "from minionize.status.top.program import follow_parent; follow_parent(0.01)\nprint('up', flush=True)\nwhile True: pass"
    server = subprocess.Popen(
        ["sh", "-c", '"$0" -c "$1" & read -r _', sys.executable, busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout.readline() == b"up\n"
    server.stdin.close()
    assert server.wait(20) is not None
    assert server.stdout.read() == b""  # which comes when the last one that could write there has ended
    server.stdout.close()


def test_allowing_actions_is_for_browsers(here, capsys):
    """At a terminal they are allowed."""
    assert top.main(["--allow-actions"]) == 2
    assert "--allow-actions is for --serve" in capsys.readouterr().err
