"""What may happen to a spool besides death: frozen minions, foreign files, cut ones, hunger, two puts at once."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from servers.file_server import FakeFileServer

from minionize import place
from minionize.engines.spool import SpoolEngine, files, look, putting
from minionize.errors import EngineError, EngineUnavailable, NoQueue
from minionize.model import Ack, Bury, Counts, Failure, Nack, NewTask
from minionize.place.mounts import mounts
from minionize.testing import FakeClock, identity


@pytest.fixture
def clock():
    """Make the file server's clock."""
    return FakeClock(1_800_000_000.0)


@pytest.fixture
def spool(tmp_path, clock):
    """Return what opens the same spool for one more minion."""
    opened = []

    def open_spool(uid="a", **options):
        options.setdefault("clock", FakeFileServer(clock))
        opened.append(SpoolEngine(str(tmp_path / "q"), identity(uid), create=True, **options))
        return opened[-1]

    yield open_spool
    for engine in opened:
        engine._holder.forget()


@pytest.fixture
def large_chunks(monkeypatch):
    """Let the chunks of a small put be as large as those of a large one."""
    monkeypatch.setattr(putting, "_SHARES", 1)


def fill(engine, count):
    """Put the numbers below ``count``."""
    return engine.put(NewTask(f"{n:016x}", str(n)) for n in range(count))


def test_a_frozen_minion_finds_out_before_it_believes_its_ack(spool, clock, tmp_path):
    """What a minion writes into its log after it was taken over counts for nothing, and it is told so."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 1)
    (task,) = frozen.exchange(limit=1).tasks
    clock.advance(100)
    (again,) = other.exchange(limit=1).tasks
    (gone,) = frozen.exchange([Ack(task)]).gone
    assert (gone.task, gone.why) == (task, "lost")
    assert other.counts() == Counts(0, 0, 1, 0, 0)
    assert other.exchange([Ack(again)]).gone == ()
    assert other.counts() == Counts(0, 0, 0, 1, 0)


def test_a_frozen_minion_goes_on_under_another_name(spool, clock):
    """After it has lost everything a minion takes tasks again, and keeps them."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 2)
    (lost,) = frozen.exchange(limit=1).tasks
    clock.advance(100)
    (taken,) = other.exchange(limit=1).tasks
    assert [one.task for one in frozen.renew([lost])] == [lost]
    (new,) = frozen.exchange(limit=1).tasks
    assert {new.id, taken.id} == {f"{n:016x}" for n in range(2)}
    assert frozen.exchange([Ack(new)]).gone == ()
    assert other.exchange([Ack(taken)]).state == "ended"


def test_a_log_that_does_not_close_well_is_closed(spool, clock, monkeypatch):
    """A file server that has just lost a machine may say so at the close: the minion that lost everything goes on."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 2)
    (lost,) = frozen.exchange(limit=1).tasks
    clock.advance(100)
    other.exchange(limit=1)
    log, close, failed = frozen._holder._log, os.close, []

    def close_badly(fd):
        close(fd)
        if fd == log and not failed:
            failed.append(fd)
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "close", close_badly)
    assert [one.task for one in frozen.renew([lost])] == [lost]
    (new,) = frozen.exchange(limit=1).tasks
    assert frozen.exchange([Ack(new)]).gone == ()
    assert failed


def test_a_live_minion_is_not_taken_over_by_another_clock(spool, clock, tmp_path):
    """Only the file server's clock decides: one whose own clock is an hour ahead takes nothing from the living."""
    holder = spool("holder")
    fill(holder, 1)
    (task,) = holder.exchange(limit=1).tasks
    ahead = spool("ahead")
    ahead._clock.now = lambda: clock() + 3600
    assert ahead.exchange(limit=1).tasks == ()
    assert holder.renew([task]) == []


def test_after_an_outage_nobody_is_taken_for_lost(spool, clock, monkeypatch):
    """Who comes back first after the file server was away waits for the others; who stays away is lost then."""
    awake = FakeClock(1000.0)
    monkeypatch.setattr("minionize.engines.spool.holder._awake", awake)
    monkeypatch.setattr("minionize.engines.spool.engine._SWEEP", 0.0)
    first, second, third = spool("first"), spool("second"), spool("third")
    for engine in (first, second, third):
        engine._sweep_every = 0.0
    fill(first, 3)
    held = {engine: engine.exchange(limit=1).tasks for engine in (first, second, third)}
    for one in (clock, awake):
        one.advance(100)
    assert first.exchange(limit=1).tasks == ()
    assert second.renew(held[second]) == []
    assert second.exchange(limit=1).tasks == ()
    for _ in range(2):
        for one in (clock, awake):
            one.advance(20)
        assert first.renew(held[first]) == second.renew(held[second]) == []
    assert first.counts() == Counts(1, 0, 2, 0, 0)
    assert [gone.why for gone in third.renew(held[third])] == ["lost"]


def test_a_task_that_was_given_back_before_its_cancellation_was_read_is_cancelled(spool):
    """The mail comes too late for the minion to drop it, and is heeded all the same."""
    engine = spool("a")
    fill(engine, 2)
    first, second = engine.exchange(limit=2).tasks
    assert engine.exchange([Nack(first)]).gone == ()
    files.write(engine._tree.at("minions", "a", "mail-late"), f"cancel\n{first.id}".encode())
    assert engine.renew([second]) == []
    assert engine.counts() == Counts(0, 0, 1, 0, 0)


def test_a_suspect_whose_handing_out_failed_runs_alone(spool, monkeypatch):
    """It is among the chunks of a minion then, and still held with nothing else."""
    engine = spool()
    engine.put([NewTask("5" * 16, '"s"', crashes=2), *(NewTask(f"{n:016x}", str(n)) for n in range(3))])
    commit = engine._holder.commit
    monkeypatch.setattr(engine._holder, "commit", fail_once(commit))
    with pytest.raises(EngineUnavailable):
        engine.exchange(limit=5)
    held = engine.exchange(limit=5).tasks
    assert [task.param for task in held] == ['"s"']
    assert len(engine.exchange(map(Ack, held), limit=5).tasks) == 3


def fail_once(act):
    """Let it fail the first time."""
    times = []

    def fail(*arguments):
        times.append(1)
        if len(times) == 1:
            raise OSError(errno.EIO, "fails", "somewhere")
        return act(*arguments)

    return fail


def test_a_group_that_was_let_in_may_work_along(spool, tmp_path):
    """Where the directory is open to its group, whatever the umask, so is what minions make in it; else nothing is."""
    (tmp_path / "q").mkdir()
    os.chmod(tmp_path / "q", 0o775)
    before = os.umask(0o077)
    try:
        engine = spool()
        fill(engine, 2)
        engine.exchange(limit=1)
    finally:
        os.umask(before)
    folders = [where for where, _, _ in os.walk(tmp_path / "q")]
    assert len(folders) > 12
    assert {oct(os.stat(where).st_mode & 0o020) for where in folders} == {oct(0o020)}


def test_who_has_nothing_gets_what_others_do_not_need(spool, large_chunks, monkeypatch):
    """A minion that holds a whole chunk gives away what it has not begun once another one has nothing."""
    monkeypatch.setattr("minionize.engines.spool.engine._CARE", 0.0)
    rich, poor = spool("rich"), spool("poor")
    fill(rich, 50)
    (mine,) = rich.exchange(limit=1).tasks
    assert poor.exchange(limit=1).tasks == ()
    assert rich.renew([mine]) == []
    (theirs,) = poor.exchange(limit=1).tasks
    assert theirs.id != mine.id
    assert poor.counts() == Counts(48, 0, 2, 0, 0)


def test_hunger_ends_with_the_first_bite(spool, large_chunks, monkeypatch):
    """Who got something does not go on asking: chunks are not divided for ever."""
    monkeypatch.setattr("minionize.engines.spool.engine._CARE", 0.0)
    rich, poor = spool("rich"), spool("poor")
    fill(rich, 50)
    tasks = rich.exchange(limit=1).tasks
    poor.exchange(limit=1)
    rich.renew(tasks)
    poor.exchange(limit=1)
    assert not any(token.hungry for token in look.tokens(poor._tree))


def test_a_minion_that_is_served_is_not_disturbed(spool, large_chunks, monkeypatch):
    """With nobody hungry a chunk stays whole: its holder goes through it without another claim."""
    monkeypatch.setattr("minionize.engines.spool.engine._CARE", 0.0)
    engine = spool()
    fill(engine, 50)
    taken, settled = [], []
    for _ in range(50):
        settled = [Ack(task) for task in engine.exchange(settled, limit=1).tasks]
        taken += [ack.task.param for ack in settled]
    assert taken == [str(n) for n in range(50)]
    assert os.listdir(engine._tree["open"]) == []


def test_the_books_are_read_from_names_alone(spool, monkeypatch):
    """Counting opens no file: its cost does not grow with what is done."""
    engine, other = spool(), spool("other")
    fill(engine, 10)
    tasks = engine.exchange(limit=5).tasks
    engine.exchange([Ack(tasks[0]), Bury(tasks[1], Failure("exit", "exit 1"))])

    def refuse(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(files, "read", refuse)
    assert other.counts() == Counts(5, 0, 3, 1, 1)


def test_the_books_are_right_while_a_takeover_cannot_go_on(spool, clock, monkeypatch):
    """Who takes over has no room to write: what the lost one held and did is counted and listed all the same."""
    lost, heir, looker = spool("lost"), spool("heir"), spool("looker")
    fill(lost, 6)
    tasks = lost.exchange(limit=4).tasks
    lost.exchange([Ack(tasks[0])])
    clock.advance(100)
    heir._holder.register()

    def full(path, *_):
        raise OSError(errno.ENOSPC, "full", path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(EngineUnavailable, match="Make room"):
            heir.exchange(limit=1)
        assert looker.counts() == Counts(2, 0, 3, 1, 0)
        assert len(list(looker.list())) == 6
        assert looker.exchange().state == "open"
    assert len(heir.exchange(limit=9).tasks) == 5


def test_the_end_is_believed_after_two_equal_looks(spool, monkeypatch):
    """A chunk that moves between the two looks is not overlooked."""
    engine, other = spool(), spool("other")
    fill(other, 1)
    (task,) = other.exchange(limit=1).tasks
    other.exchange([Ack(task)])
    looks = []
    true = look._unsettled

    def look_twice(tree):
        looks.append(true(tree))
        if len(looks) == 1:
            fill(other, 2)
            other.exchange(limit=1)
        return looks[-1]

    monkeypatch.setattr(look, "_unsettled", look_twice)
    assert not look.is_settled(engine._tree)


# ---------------------------------------------------------------------- what else lies there


def test_foreign_files_are_left_alone(spool):
    """Whatever others leave in the folders is neither taken nor counted nor removed, and disturbs nothing."""
    engine = spool()
    fill(engine, 2)
    strange = []
    for folder in ("puts", "open", "dead", "minions", "alive", "ended", "known", "logs", "turn", "forgot"):
        for name in (".nfs0000123", "core", "a b\n", "f1-x.2~"):
            path = os.path.join(engine._tree[folder], name)
            with open(path, "w", encoding="utf-8") as file:
                file.write("what?\n")
            strange.append(path)
    assert engine.counts() == Counts(2, 0, 0, 0, 0)
    tasks = engine.exchange(limit=5).tasks
    assert len(tasks) == 2
    assert engine.exchange(map(Ack, tasks)).state == "ended"
    assert engine.put([NewTask("0" * 16, "0"), NewTask("f" * 16, "1")]).added == 1
    assert all(os.path.exists(path) for path in strange)


@pytest.mark.parametrize("kept", [0, 1, 10, 30])
def test_a_chunk_that_was_cut_loses_no_task_in_silence(spool, large_chunks, monkeypatch, kept):
    """The lines that are there are run, and for each other one there is a task that says what happened."""
    monkeypatch.setattr(files, "_PATIENT", ())
    engine = spool()
    fill(engine, 5)
    ((path, _),) = look.waiting(engine._tree)
    with open(path, "r+b") as file:
        file.truncate(kept)
    tasks = engine.exchange(limit=9).tasks
    assert len(tasks) == 5
    whole = [task.param for task in tasks if not task.error]
    assert whole == [str(n) for n in range(len(whole))]
    assert all("the file system lost a part of it" in task.error for task in tasks[len(whole) :])
    assert engine.exchange([Bury(task, Failure("param", task.error)) for task in tasks]).state == "ended"
    assert engine.counts().dead == 5


def test_a_damaged_line_stays_damaged_when_it_is_given_back(spool, large_chunks, monkeypatch):
    """A line that is no task does not become one by being written again."""
    monkeypatch.setattr(files, "_PATIENT", ())
    engine = spool()
    fill(engine, 3)
    ((path, _),) = look.waiting(engine._tree)
    with open(path, "r+b") as file:
        file.write(b"?")
        file.truncate(30)
    engine.exchange(limit=1)
    engine.close()
    again = spool("again").exchange(limit=9).tasks
    assert sum(bool(task.error) for task in again) == 2


def test_a_short_read_is_asked_again(spool, large_chunks, monkeypatch):
    """A cache that gives a part of a chunk at first is not believed."""
    monkeypatch.setattr(files, "_AGAIN", (0.0, 0.0))
    engine = spool()
    fill(engine, 5)
    true, reads = files.read, []

    def read(path):
        data = true(path)
        if path.endswith(".5") and not reads:
            reads.append(path)
            return data[:20]
        return data

    monkeypatch.setattr(files, "read", read)
    assert [task.error for task in engine.exchange(limit=9).tasks] == [""] * 5


# ---------------------------------------------------------------------- who may write there


def test_a_directory_that_anybody_may_write_is_refused(spool, tmp_path):
    """Who may write params may run commands in our name: the error says how to close it."""
    fill(spool(), 1)
    os.chmod(tmp_path / "q", 0o777)
    with pytest.raises(EngineError, match="chmod o-w"):
        spool("b")


def test_a_directory_that_the_group_may_write_is_noted(spool, tmp_path):
    """Groups share directories on purpose: they are told what that means."""
    fill(spool(), 1)
    os.chmod(tmp_path / "q", 0o775)
    assert any("by its group" in note for note in spool("b").notes)


def test_the_directory_is_made_for_its_owner_only(spool, tmp_path):
    """With a careless umask too, nobody else may write there."""
    before = os.umask(0)
    try:
        fill(spool(), 1)
    finally:
        os.umask(before)
    assert os.stat(tmp_path / "q").st_mode & 0o022 == 0


def test_the_file_system_is_told(spool, monkeypatch):
    """A minion says at its start where it is, and what of the mount matters."""
    mount = mounts("1 0 0:1 / / rw shared:1 - nfs4 server:/ rw,vers=4.2,soft,noac,rsize=1048576\n")[0]
    monkeypatch.setattr(place, "mount", lambda path: mount)
    note, *_ = spool().notes  # another says who may write, with some umasks
    assert note.endswith("is on nfs4 (vers=4.2, soft, noac).")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_read_only_directory_can_be_looked_at(spool, monkeypatch, number):
    """Who may not write may look; a claim says why it cannot be."""
    fill(spool(), 2)
    looker = spool("looker")

    def refuse(path, *_):
        raise OSError(number, os.strerror(number), path)

    for name in ("mkdir", "rename", "unlink", "utime"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(files, "write", refuse)
    assert looker.counts().pending == 2
    assert [entry.param for entry in looker.list("pending")] == ["0", "1"]
    with pytest.raises(EngineError, match="cannot be used") as raised:
        looker.exchange(limit=1)
    assert not isinstance(raised.value, EngineUnavailable)


def test_no_directory_is_no_queue(tmp_path):
    """Looking for a spool makes none, and the error says what would."""
    with pytest.raises(NoQueue, match="minion-queue put"):
        SpoolEngine(str(tmp_path / "none"), identity("a"))
    assert os.listdir(tmp_path) == []


def test_a_file_is_no_spool(tmp_path):
    """A path that is something else is said to be that."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineError, match="no directory"):
        SpoolEngine(str(tmp_path / "file"), identity("a"), create=True)


def test_a_directory_that_was_deleted_is_no_queue(spool, tmp_path):
    """A minion whose spool was deleted is told so, and makes no new one."""
    import shutil

    engine = spool()
    fill(engine, 2)
    tasks = engine.exchange(limit=1).tasks
    shutil.rmtree(tmp_path / "q")
    with pytest.raises(NoQueue):
        engine.exchange(map(Ack, tasks), limit=1)
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------- two puts at once


def test_puts_take_turns(spool):
    """Two puts of the same params at the same moment add each of them once."""
    start = threading.Barrier(4)
    added = []

    def put(uid):
        engine = spool(uid)
        start.wait()
        added.append(fill(engine, 200).added)

    threads = [threading.Thread(target=put, args=(f"putter{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [0, 0, 0, 200]


def test_the_turn_of_a_process_that_is_gone_is_taken(spool):
    """A put that was killed holds up no other one on its host."""
    engine = spool()
    us = place.identity("us")
    gone = us._replace(uid="gone", pid=2**22 + 1, start=1)
    putting.Turn(engine._tree, gone, engine._clock).__enter__()
    engine._me = us
    assert fill(engine, 3).added == 3


def test_the_turn_of_a_silent_host_is_taken(spool, clock, monkeypatch):
    """A put whose host has vanished holds up others for a minute, by the file server's clock."""
    engine = spool()
    turn = putting.Turn(engine._tree, identity("elsewhere"), engine._clock)
    turn.__enter__()
    clock.advance(putting._STALE + 1)
    monkeypatch.setattr(putting, "_LOOK", 0.0)
    assert fill(engine, 3).added == 3
    turn._kept = float("-inf")
    with pytest.raises(EngineUnavailable, match="another one took its turn"):
        turn.keep()
