"""What network file systems do to a spool: answers that are lost, names that seem to be gone, minions that wake up too late."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from servers.file_server import FakeFileServer

from minionize.engines.spool import SpoolEngine, files, holder, look, putting, recovery
from minionize.engines.spool.chunk import decode
from minionize.engines.spool.names import Chunk, parse_chunk
from minionize.errors import EngineUnavailable, NoQueue
from minionize.model import Ack, Counts, Nack, NewTask
from minionize.testing import FakeClock, identity

REAL = {name: getattr(os, name) for name in ("rename", "unlink", "listdir", "rmdir")}


@pytest.fixture
def clock():
    """Make the file server's clock."""
    return FakeClock(1_800_000_000.0)


@pytest.fixture
def spool(tmp_path, clock, monkeypatch):
    """Return what opens the same spool for one more minion; nobody waits for caches that are not there."""
    monkeypatch.setattr(files, "_AGAIN", (0.0, 0.0))
    monkeypatch.setattr(files, "_PATIENT", ())
    monkeypatch.setattr(putting, "_SHARES", 3)

    def open_spool(uid="a", *, off=0.0, **options):
        return SpoolEngine(str(tmp_path / "q"), identity(uid), create=True, clock=FakeFileServer(clock, off), **options)

    return open_spool


def fill(engine, count):
    """Put the numbers below ``count``."""
    return engine.put(NewTask(f"{n:016x}", str(n)) for n in range(count))


def everything(engine):
    """List the ids of all tasks on the books."""
    return sorted(entry.id for entry in engine.list())


def ids(count):
    """List the ids that :func:`fill` gives."""
    return [f"{n:016x}" for n in range(count)]


def work_off(engine, clock):
    """Take and acknowledge until all is settled; returns the ids in the order of their ends."""
    done, settled = [], []
    for _ in range(200):
        delivery = engine.exchange(settled, limit=4)
        done += [ack.task.id for ack in settled]
        settled = [Ack(task) for task in delivery.tasks]
        if delivery.state == "ended":
            return done
        clock.advance(100)
    raise AssertionError("it never ends")


class Once:
    """Does something once, at a rename that is chosen; all other renames are as ever."""

    def __init__(self, monkeypatch, choose, act):
        self.choose, self.act, self.over = choose, act, False
        monkeypatch.setattr(os, "rename", self)

    def __call__(self, source, target):
        """Rename, or act in place of it."""
        if not self.over and self.choose(str(source), str(target)):
            self.over = True
            return self.act(source, target)
        return REAL["rename"](source, target)


def is_claim(source, target):
    """Tell whether this rename claims a chunk."""
    return "/minions/" in target and parse_chunk(os.path.basename(target)) is not None


def answers(error):
    """Make a rename that happens, and whose answer is this error."""

    def rename(source, target):
        REAL["rename"](source, target)
        raise error

    return rename


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "gone", "x"), OSError(errno.EIO, "lost", "x")])
def test_a_claim_whose_answer_was_lost_loses_nothing(spool, clock, monkeypatch, error):
    """A chunk that came to us by a rename that seemed to fail is worked off, or at least put back when we leave."""
    engine = spool()
    fill(engine, 12)
    once = Once(monkeypatch, is_claim, answers(error))
    try:
        engine.exchange(limit=1)
    except EngineUnavailable:
        engine.exchange(limit=1)
    engine.close()
    assert once.over
    assert everything(spool("reader")) == ids(12)
    assert sorted(work_off(spool("heir"), clock)) == ids(12)


def test_who_wakes_up_while_it_is_taken_over_loses_nothing(spool, clock, monkeypatch):
    """A chunk that a frozen minion moves into its folder after that was looked through is not removed with the folder."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 12)
    frozen.exchange(limit=1)
    clock.advance(100)
    late = {}

    def put_away(*arguments):
        if not late:
            chunk = min(os.listdir(frozen._tree.at("puts", "000000000001")))
            late[chunk] = REAL["rename"](
                frozen._tree.at("puts", "000000000001", chunk), frozen._tree.at("minions", "frozen", chunk)
            )
        return real(*arguments)

    real = recovery.put_away
    monkeypatch.setattr(recovery, "put_away", put_away)
    other._recovery.sweep(thorough=True)
    assert late
    assert everything(other) == ids(12)
    assert sorted(work_off(other, clock)) == ids(12)


def test_who_wakes_up_between_its_claim_and_reading_it_is_told(spool, clock, monkeypatch):
    """A minion that was frozen just after it claimed a chunk finds that it has lost it, and goes on with another one."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 12)

    def freeze(path, chunk):
        if not thawed:
            thawed.append(path)
            clock.advance(100)
            other._recovery.sweep(thorough=True)
        return real(path, chunk)

    thawed, real = [], holder.read
    monkeypatch.setattr(holder, "read", freeze)
    (task,) = frozen.exchange(limit=1).tasks
    assert thawed
    assert frozen.renew([task]) == []


def test_a_put_that_seems_empty_for_a_moment_stays(spool, monkeypatch):
    """A folder of chunks that a cache says is not there is not put away with what is in it."""
    engine = spool()
    fill(engine, 12)
    wrong = []

    def listdir(path):
        if str(path).endswith("/puts/000000000001") and not wrong:
            wrong.append(path)
            raise FileNotFoundError(errno.ENOENT, "no such directory", path)
        return REAL["listdir"](path)

    monkeypatch.setattr(os, "listdir", listdir)
    engine.exchange(limit=1)
    assert wrong
    assert everything(engine) == ids(12)


def test_a_chunk_cut_in_the_middle_of_a_letter_is_read_to_there():
    """What is left of a chunk whose last letter is incomplete is handed out; only the rest is damaged."""
    chunk = Chunk("f", 1, "1-1", 2)
    whole = 'a\t1\t0\t0\t\t1\nb\t1\t0\t0\t\t"é"\n'.encode()
    lines = decode(whole[:-3], chunk)
    assert [(line.id, bool(line.error)) for line in lines] == [("a", False), ("1-1.1", True)]
    lines = decode(whole.replace(b"\xc3", b"\xff"), chunk)
    assert [(line.id, bool(line.error)) for line in lines] == [("a", False), ("1-1.1", True)]


def test_a_damaged_log_is_believed_as_far_as_it_can_be_read(spool, clock):
    """A log in which the disk lost a part does not stop those who take over: what it said there is done again."""
    victim, heir = spool("victim"), spool("heir")
    fill(victim, 12)
    tasks = victim.exchange(limit=3).tasks
    victim.exchange([Ack(task) for task in tasks[:2]])
    path = victim._tree.at("minions", "victim", "log")
    with open(path, "r+b") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(size // 2)
        log.write(b"\xff\t\n\xffd\tx\n+\tx\n\n")
    clock.advance(100)
    assert set(work_off(heir, clock)) >= set(ids(12)[2:])


def test_a_settlement_whose_rename_was_answered_by_an_error_has_happened_once(spool, clock, monkeypatch):
    """Where the token has its new name although the rename failed, repeating it with more settlements loses nothing."""
    engine = spool()
    fill(engine, 12)
    tasks = engine.exchange(limit=4).tasks

    def rename(source, target):
        REAL["rename"](source, target)
        blind.append(target)
        raise OSError(errno.EIO, "no answer", source)

    def listdir(path):
        if blind and str(path).endswith("/alive"):
            blind.pop()
            raise OSError(errno.EIO, "no answer", path)
        return REAL["listdir"](path)

    blind = []
    once = Once(monkeypatch, lambda source, _: "/alive/" in source, rename)
    monkeypatch.setattr(os, "listdir", listdir)
    first = [Nack(tasks[0]), Ack(tasks[1])]
    with pytest.raises(EngineUnavailable):
        engine.exchange(first)
    assert once.over
    delivery = engine.exchange([*first, Nack(tasks[2])])
    assert delivery.gone == ()
    assert engine.renew([tasks[3]]) == []
    engine._holder.forget()  # it dies
    clock.advance(100)
    heir = spool("heir")
    assert heir.release() == 1
    assert everything(heir) == ids(12)
    assert heir.counts() == Counts(11, 0, 0, 1, 0)
    assert sorted([*work_off(heir, clock), tasks[1].id]) == ids(12)


def test_tasks_of_an_answer_that_was_lost_come_back(spool, clock, monkeypatch):
    """What was handed out by an exchange that failed nevertheless is offered again, and nobody is charged."""
    engine = spool()
    fill(engine, 1)

    def rename(source, target):
        REAL["rename"](source, target)
        blind.append(target)
        raise OSError(errno.EIO, "no answer", source)

    def listdir(path):
        if blind and str(path).endswith("/alive"):
            blind.pop()
            raise OSError(errno.EIO, "no answer", path)
        return REAL["listdir"](path)

    blind = []
    Once(monkeypatch, lambda source, _: "/alive/" in source, rename)
    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(EngineUnavailable):
        engine.exchange(limit=1)
    tasks = engine.exchange(limit=1).tasks or engine.exchange(limit=1).tasks
    assert [(task.attempt, task.crashes) for task in tasks] == [(1, 0)]
    assert engine.exchange([Ack(tasks[0])]).state == "ended"


def test_nothing_in_a_spool_is_writable_by_everybody(spool, tmp_path):
    """With a careless umask, too: who may write a chunk or a folder there could run commands in our name."""
    before = os.umask(0)
    try:
        engine = spool()
        fill(engine, 12)
        engine.exchange(limit=1)
    finally:
        os.umask(before)
    found = [os.path.join(where, name) for where, folders, names in os.walk(tmp_path / "q") for name in folders + names]
    assert len(found) > 12
    assert [path for path in found if os.stat(path).st_mode & stat.S_IWOTH] == []


def test_what_a_link_points_to_is_never_removed(tmp_path, monkeypatch):
    """A folder is removed with the links in it, not with what they point to, also where a link cannot be removed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("years")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(precious)

    def unlink(path):
        if os.path.basename(path) == "link":
            raise PermissionError(errno.EACCES, "not yours", path)
        return REAL["unlink"](path)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(PermissionError):
        files.remove_tree(str(folder))
    assert (precious / "thesis").read_text() == "years"


def test_minions_do_not_end_while_a_queue_is_cleared(spool, tmp_path, monkeypatch):
    """Between the old queue and the new one there is no moment in which others could find none."""
    engine, other = spool(), spool("other")
    fill(engine, 12)
    tasks = other.exchange(limit=1).tasks
    seen = []

    def mkdir(path, mode=0o777):
        if not seen and os.path.basename(path) == "tmp":
            seen.append(other.renew(tasks))
        return real(path, mode)

    real = os.mkdir
    monkeypatch.setattr(os, "mkdir", mkdir)
    engine.remove()
    assert seen == [[]]
    assert [gone.why for gone in other.renew(tasks)] == ["cancelled"]


def test_a_queue_that_was_deleted_is_not_one_that_is_settled(spool, tmp_path):
    """A minion that waits for more says that its queue is gone, not that all is done."""
    engine = spool()
    fill(engine, 1)
    files.remove_tree(str(tmp_path / "q"))
    with pytest.raises(NoQueue):
        engine.exchange(limit=1)


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_a_machine_whose_clock_is_wrong_sees_what_is_due(spool, clock, off):
    """Delays are by the file server's clock, also for a minion that has held nothing yet."""
    engine = spool()
    fill(engine, 2)
    first, second = engine.exchange(limit=2).tasks
    engine.exchange([Nack(first, delay=60.0), Nack(second, delay=600.0)])
    engine.close()
    clock.advance(61)
    assert [task.id for task in spool("wrong", off=off).exchange(limit=2).tasks] == [first.id]


def test_a_crowd_of_dead_minions_is_taken_over_soon(spool, clock, monkeypatch):
    """One survivor of many takes over all of them, with no pause between those it found."""
    monkeypatch.setattr(putting, "_CHUNKS", 90)
    fill(spool(), 90)
    for n in range(90):
        spool(f"dead{n}").exchange(limit=1)
    clock.advance(100)
    survivor = spool("survivor", lease=600.0)
    survivor._sweep_every = 100.0
    for _ in range(8):
        survivor.exchange(limit=1)
    assert [token.minion for token in look.tokens(survivor._tree)] == ["survivor"]


def test_what_a_killed_put_left_is_removed_by_the_next(spool, monkeypatch):
    """Chunks of a put that died do not lie in the queue for ever."""
    engine = spool()
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove_tree", lambda path: None)
        patch.setattr(putting._Writer, "_close", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fill(engine, 12)
    assert os.listdir(engine._tree["tmp"]) != []
    fill(engine, 12)
    assert os.listdir(engine._tree["tmp"]) == []


@pytest.mark.parametrize("delay", [1e12, float("inf")])
def test_a_delay_without_end_loses_nothing(spool, delay):
    """A task that is put off for longer than any calendar lasts stays on the books."""
    engine = spool()
    fill(engine, 1)
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Nack(task, delay=delay)])
    assert engine.counts() == Counts(0, 1, 0, 0, 0)
    assert everything(engine) == ids(1)


def test_a_file_that_is_still_open_elsewhere_stops_nobody(tmp_path, monkeypatch):
    """NFS keeps a removed file that is open under another name, and refuses to remove that: the folder stays, no more."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".nfs0001").write_text("")
    (folder / "log").write_text("")

    def unlink(path):
        if os.path.basename(path) == ".nfs0001":
            raise OSError(errno.EBUSY, "busy", path)
        return REAL["unlink"](path)

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(files, "_AGAIN", (0.0,))
    files.remove_tree(str(folder))
    assert os.listdir(folder) == [".nfs0001"]


def test_a_log_is_closed_before_it_is_removed(spool, monkeypatch):
    """Who leaves closes its log first: NFS keeps a removed file that is open, and with it the folder."""
    engine = spool()
    fill(engine, 1)
    (task,) = engine.exchange(limit=1).tasks
    open_then = []

    def unlink(path):
        if os.path.basename(path) == "log":
            open_then.append(engine._holder._log >= 0)
        return REAL["unlink"](path)

    monkeypatch.setattr(os, "unlink", unlink)
    engine.close()
    assert open_then == [False]
    assert task.id in everything(spool("reader"))


def test_a_minion_that_seems_silent_is_looked_at_again(spool, clock, monkeypatch):
    """A cache may tell an old time of a heartbeat: before anybody is taken over its token is opened, which asks the server."""
    holder_, other = spool("holder"), spool("other")
    fill(holder_, 1)
    (task,) = holder_.exchange(limit=1).tasks
    clock.advance(100)
    holder_._holder.touch()
    real = os.stat

    def cached(path, **named):
        found = real(path, **named)
        if isinstance(path, str) and "/alive/holder" in path:
            return os.stat_result((*found[:7], found[7] - 100, found[8] - 100, *found[9:10]))
        return found

    monkeypatch.setattr(os, "stat", cached)
    assert other.exchange(limit=1).tasks == ()
    assert holder_.renew([task]) == []


def test_an_empty_chunk_is_no_chunk():
    """A file that says that it holds no task is a foreign one: nobody claims it, and nobody waits for it."""
    assert parse_chunk("f00000000000001-x.0") is None
    assert parse_chunk("f00000000000001-x.10") is not None


def test_a_log_that_is_lost_stops_nobody(spool, clock):
    """Where the log of a dead minion is gone for good, what lies in its chunks is done again: others go on."""
    victim, heir = spool("victim"), spool("heir")
    fill(victim, 12)
    victim.exchange(limit=1)
    os.unlink(victim._tree.at("minions", "victim", "log"))
    clock.advance(100)
    assert sorted(work_off(heir, clock)) == ids(12)


def test_what_a_dead_minion_gave_away_is_found_at_a_second_look(spool, clock, monkeypatch):
    """A folder that a cache says is empty is listed again before it is removed with the chunks that wait in it."""
    victim, heir = spool("victim"), spool("heir")
    fill(victim, 4)
    tasks = victim.exchange(limit=4).tasks
    with monkeypatch.context() as patch:
        patch.setattr(files, "move", lambda source, target: REAL["rename"](source, target) or True)
        patch.setattr(victim._holder, "tidy", lambda: None)  # it dies before it moves them where they belong
        victim.exchange([Nack(task) for task in tasks])
    clock.advance(100)
    wrong = []
    monkeypatch.setattr(files, "_AGAIN", (0.0,) * 4)

    def listdir(path):
        if str(path).endswith("/minions/victim") and len(wrong) < 3:
            wrong.append(path)
            return []
        return REAL["listdir"](path)

    monkeypatch.setattr(os, "listdir", listdir)
    heir.release()
    assert wrong
    assert everything(heir) == ids(4)


def test_who_lost_everything_never_uses_a_name_again(spool, clock, monkeypatch):
    """Also where it seemed for a moment that the whole queue was cleared: chunks of two lives never have one name."""
    frozen, other = spool("frozen"), spool("other")
    fill(frozen, 12)
    (task,) = frozen.exchange(limit=1).tasks
    clock.advance(100)
    other.release()
    real = type(frozen._tree).identity
    answers = ["", real(frozen._tree)]
    monkeypatch.setattr(type(frozen._tree), "identity", lambda tree: answers.pop(0) if answers else real(tree))
    frozen.exchange([Ack(task)], limit=1)
    assert frozen._holder.name == "frozen~1"


def test_who_waits_at_a_slow_file_server_looks_seldom(spool, monkeypatch):
    """A look that takes long is not repeated at once: thousands of delayed tasks and a crowd would stop the server."""
    engine = spool()
    fill(engine, 1)
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Nack(task, delay=1000.0)])
    now = [0.0]
    pauses = []

    class Bell:
        def acquire(self, timeout):
            now[0] += timeout
            pauses.append(timeout)
            return False

    def listdir(path):
        now[0] += 0.1
        return REAL["listdir"](path)

    monkeypatch.setattr("minionize.engines.spool.engine.time.monotonic", lambda: now[0])
    monkeypatch.setattr(engine, "_bell", Bell())
    monkeypatch.setattr(os, "listdir", listdir)
    engine.exchange(limit=1, wait=100.0)
    assert pauses[0] > 1.0
    assert len(pauses) < 60


def test_nothing_is_written_to_a_log_that_was_removed(spool, clock, monkeypatch):
    """Where making our folder fails, and then removing it: we begin anew, and what we acknowledge is on record."""
    engine = spool()
    fill(engine, 2)
    failing = [True]

    def unlink(path):
        REAL["unlink"](path)
        if failing and path.endswith("/log"):
            failing.clear()
            raise OSError(errno.EIO, "no answer", path)

    def touch(path):
        if failing:
            raise OSError(errno.EIO, "no answer", path)
        return FakeFileServer.touch(engine._clock, path)

    monkeypatch.setattr(os, "unlink", unlink)
    monkeypatch.setattr(engine._clock, "touch", touch)
    with pytest.raises(EngineUnavailable):
        engine.exchange(limit=1)
    (task,) = engine.exchange(limit=1).tasks
    engine.exchange([Ack(task)])
    assert [entry.id for entry in engine.list("done")] == [task.id]
