"""``minion-launch ssh`` through a real sshd: one host under two names, whose minions share a spool."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest
from acceptance.harness import Place, until
from servers import sshd

#: Says who it is, and waits until it is let through.
WAIT = 'echo "$1" >> begun; read _ < gate; echo "$1" >> ended'


@pytest.fixture
def here(tmp_path):
    """Return an empty directory with a queue of four params that other machines could share."""
    place = Place(tmp_path)
    place.environ["MINION_LAUNCH_EXTRA"] = f"-F {sshd.shared().config}"
    place.write(".env", "MINION_ENGINE=spool\n")
    place.put("1..4")
    yield place
    place.leave()


def launch(here, *words, code=0):
    """Launch minions; returns the launch's id, and what was said."""
    done = here.run("minion-launch", "ssh", *words)
    assert done.code == code, done.err
    found = re.match(r"(l[0-9a-f]{6}): ", done.out)
    return (found[1] if found else None), done.err


def minions(here, id):
    """Ask what has become of each minion."""
    done = here.run("minion-launch", "status", id, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["minions"]


def wait_for_end(here, id):
    """Wait until all minions of a launch have ended; returns what is said of them."""
    until(lambda: {minion["state"] for minion in minions(here, id)} == {"ended"}, f"the end of {id}")
    return minions(here, id)


def test_one_on_each_host_unless_more_are_asked_for(here):
    """They outlive the connection, and are told apart by their numbers."""
    id, _ = launch(here, "--hosts", "one,two", "--", "sh", "-c", 'echo "$1" >> done', "-")
    assert [(one["number"], one["host"], one["exit"]) for one in wait_for_end(here, id)] == [
        (0, "one", 0),
        (1, "two", 0),
    ]
    assert sorted(here.lines("done")) == ["1", "2", "3", "4"]
    here.write("hosts", "# ours\none\n\ntwo  # the other one\n")
    id, said = launch(here, "--hosts", "hosts", "-c", "3", "--", "true")
    assert said == ""
    assert [one["host"] for one in wait_for_end(here, id)] == ["one", "two", "one"]


@pytest.mark.parametrize(("verb", "exit", "books"), [
    ("stop", 128 + signal.SIGTERM, {"pending": 4}),
    ("drain", 99, {"pending": 2, "done": 2}),
])  # fmt: skip
def test_they_are_ended_from_here(here, verb, exit, books):
    """Told to end they give back what they have, drained they finish it."""
    gate = here.gate()
    id, _ = launch(here, "--hosts", "one,two", "--", "sh", "-c", WAIT, "-")
    here.wait_for_lines("begun", 2)
    assert {one["state"] for one in minions(here, id)} == {"running"}
    assert here.run("minion-launch", verb, id).code == 0
    if verb == "drain":
        gate.open()
    assert [one["exit"] for one in wait_for_end(here, id)] == [exit, exit]
    assert here.books() == books


def test_a_host_that_does_not_answer_is_no_reason_to_wait(here):
    """The others have begun; the exit code and ssh's own words tell of it."""
    id, said = launch(here, "--hosts", "one,nowhere", "--", "sh", "-c", 'echo "$1" >> done', "-", code=1)
    assert "nowhere: ssh failed (exit code 255):\n" in said
    assert "Connection refused" in said
    assert "ssh -o BatchMode=yes nowhere true" in said
    assert [one["host"] for one in wait_for_end(here, id)] == ["one"]
    assert sorted(here.lines("done")) == ["1", "2", "3", "4"]


def test_nothing_is_recorded_where_no_host_answers(here):
    """It was refused."""
    id, said = launch(here, "--hosts", "nowhere", "--", "true", code=1)
    assert id is None
    assert "Connection refused" in said
    assert here.run("minion-launch", "list").err == "nothing was launched yet:  minion-launch --help\n"
    assert os.listdir(here.path / "minion-launch") == []


@pytest.mark.parametrize(("words", "why"), [
    (("--chdir", "/nonexistent"), "can't cd to /nonexistent"),
    (("--chdir", "/"), "there is no queue minion-queue.d in / on this machine"),
    (("--interpreter", "/no/python"), "there is no /no/python on this machine"),
])  # fmt: skip
def test_a_host_that_is_not_like_this_one(here, words, why):
    """It says so, before any minion is started."""
    _, said = launch(here, "--hosts", "one", *words, "--", "true", code=1)
    assert "ssh failed (exit code 71):\n" in said
    assert why in said


def test_hosts_that_vanish_afterwards(here):
    """What nobody knows is said to be unknown; who cannot be told is said."""
    id, _ = launch(here, "--hosts", "one", "--", "true")
    wait_for_end(here, id)
    [path] = (here.path / ".local/state/minionize/launches").iterdir()
    record = json.loads(path.read_text())
    record["handle"]["processes"][0]["host"] = "nowhere"
    path.write_text(json.dumps(record))
    [minion] = minions(here, id)
    assert minion["state"] == "unknown"
    assert "Connection refused" in minion["note"]
    done = here.run("minion-launch", "stop", id)
    assert (done.code, "not all hosts could be told:\nnowhere: ssh failed" in done.err) == (1, True)


def test_a_file_on_a_disk_is_no_queue_for_others(here):
    """With what to do; on this machine alone it is one."""
    here.write(".env", "MINION_ENGINE=sqlite\n")
    here.put("1")
    _, said = launch(here, "--hosts", "one,two", "--", "true", code=1)
    assert "minion-queue.db (sqlite) is a file on this machine's own disk" in said
    assert "minion-queue copy --from sqlite --to spool" in said


def test_secrets_are_not_sent(here):
    """They belong into .env, which minions there read."""
    here.environ["REDIS_URL"] = "redis://:hush@db/0"
    _, said = launch(here, "--hosts", "one", "--", "true", code=1)
    assert 'REDIS_URL="redis://:***@db/0" (environment) is secret' in said
    assert "chmod 600 .env" in said
    assert "hush" not in said


@pytest.mark.parametrize("hosts", ["-oProxyCommand=touch owned", "a b", "a,b\nc", ","])
def test_a_host_is_no_option_of_ssh(here, hosts):
    """Whoever writes a list of hosts runs nothing here."""
    done = here.run("minion-launch", "ssh", f"--hosts={hosts}", "--", "true")
    assert done.code == 2, done.err
    assert "owned" not in here.names()
