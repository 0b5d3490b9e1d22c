"""Puts the parts together from settings: what the commands call, and `minionizer` for Python programs."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from minionize import place, plugins
from minionize.choice import engine_name
from minionize.errors import MinionizeError, NoQueue, SetupFailed, UsageError
from minionize.interpreter import go_back, settle_down
from minionize.options import read_options
from minionize.settings import load, table

if TYPE_CHECKING:
    from minionize.callbacks.base import Callback
    from minionize.engines.base import Engine
    from minionize.minion import Minion
    from minionize.model import Identity
    from minionize.options import Options
    from minionize.settings import Settings
    from minionize.signals import Signals
    from minionize.slots.make import Staff

#: Seconds between two looks of a service whose queue does not exist yet.
SERVICE_PAUSE = 1.0


def open_engine(settings: Settings, me: Identity | None = None, *, create: bool = False) -> Engine:
    """Open the queue that the settings name; raises NoQueue, EngineUnavailable, UsageError.

    With the engine ``file`` that is the queue beside FILE_PATH: whoever only looks puts nothing in.
    """
    me = me or place.identity()
    name = engine_name(settings)
    if name == "file":
        if settings[table.FILE_PATH] is None:
            raise UsageError(
                "standard input is no queue that could be looked at or filled.\n  Name one:  FILE_PATH=params.txt"
            )
        return _beside(settings, me, create=create)
    found = plugins.find("engine", name, settings.describe(table.ENGINE))
    engine: Engine = found.from_settings(settings, me, create=create)
    return engine


def open_to_work(settings: Settings, me: Identity) -> Engine:
    """Open the queue for a minion; with the engine ``file``, its lines are read, or put into the queue beside them."""
    if engine_name(settings) != "file":
        return open_engine(settings, me)
    path, decoder = settings[table.FILE_PATH], settings[table.FILE_DECODER]
    if path is None:
        from minionize.engines.memory import MemoryEngine, MemoryQueue
        from minionize.params.source import StandardInput

        queue = MemoryQueue(keep=False, source=StandardInput(0, decoder), where="standard input")
        return MemoryEngine(queue, me, settings[table.LEASE], settings[table.MAX_CRASHES])
    from minionize.params.source import read_file

    if not os.path.exists(path):
        raise UsageError(f"there is no file {path} (in {place.here()}): FILE_PATH names it.")
    engine = _beside(settings, me, create=True)
    try:
        engine.put(read_file(path, decoder))
    except BaseException:
        engine.close()
        raise
    return engine


def _beside(settings: Settings, me: Identity, *, create: bool) -> Engine:
    """Open the queue beside a file of params: SQLite where only this machine writes, else a spool."""
    database, spool = f"{settings[table.FILE_PATH]}.queue.db", f"{settings[table.FILE_PATH]}.queue.d"
    if os.path.isdir(spool) or not (os.path.exists(database) or place.is_local(place.filesystem(database))):
        from minionize.engines.spool import SpoolEngine

        return SpoolEngine.at(spool, settings, me, create=create)
    from minionize.engines.sqlite import SqliteEngine

    return SqliteEngine.at(database, settings, me, create=create)


class minionizer:  # noqa: N801 - the original's name
    """A minion around a callback: ``minionizer(MyCallback()).run()``."""

    def __init__(self, callback: Callback, settings: Settings | None = None, *, quiet: bool = False) -> None:
        """Take what to run; settings are those of the environment and the directory unless they are given."""
        self._callback, self._quiet, self._given = callback, quiet, settings

    def run(self) -> int:
        """Work until there is a reason to leave; returns the exit code. What goes wrong is said on standard error."""
        try:
            return self.work()
        except MinionizeError as error:
            sys.stderr.write(f"minionize: {error}\n")
            return error.exit_code

    def work(self) -> int:
        """Work as :meth:`run` does, but raise the MinionizeError that keeps a minion from starting."""
        from minionize.signals import end_as_others
        from minionize.slots.make import Staff

        callback = self._callback
        if callback.launches != "programs":
            from minionize.callbacks.loading import refuse_while_importing

            refuse_while_importing()
        _open_standard_files()
        end_as_others()
        settings = self._settings = load() if self._given is None else self._given
        preemptible = settings[table.PREEMPTIBLE]
        me = place.identity(None, preemptible=place.best_effort(os.environ) if preemptible is None else preemptible)
        how = read_options(settings)
        callback.enlist(me, quiet=self._quiet)
        here = callback.launches != "calls"  # these are set up where they are called
        if here:
            _set_up(callback)
        try:
            staff = Staff(callback, me.uid, how)  # before any thread, client or file of ours
            try:
                return self._run(me, how, staff)
            finally:
                staff.dismiss()
        finally:
            if here:
                callback.teardown()

    def _run(self, me: Identity, how: Options, staff: Staff) -> int:
        from minionize.signals import Signals

        engine = self._open(me, how.service)  # a signal that comes before this is done ends us, as it does any program
        wake = Signals()
        try:
            minion = self._minion(me, how, engine, staff, wake)
        except BaseException:
            engine.close()
            wake.close()
            raise
        habits = settle_down()
        try:
            return minion.run()
        finally:
            go_back(habits)
            wake.close()

    def _minion(self, me: Identity, how: Options, engine: Engine, staff: Staff, wake: Signals) -> Minion:
        """Put a minion together, and record its start."""
        from minionize import __version__, events
        from minionize.console import Console
        from minionize.minion import Minion
        from minionize.reporters.progress import Progress

        settings, callback = self._settings, self._callback
        console = Console(wake.notify, quiet=self._quiet)
        suffix = "" if engine.traits.deliveries == "durable" else f".{me.uid}"
        found = plugins.find("reporter", settings[table.REPORTER], settings.describe(table.REPORTER))
        minion = Minion(
            me,
            engine,
            callback,
            found.from_settings(settings, me.uid, console),
            console,
            Progress(time.monotonic(), terminal=console.terminal, quiet=self._quiet, durable=engine.traits.durable),
            lambda poller: staff.slots(poller, console, suffix, lambda: minion.pulse()),  # noqa: PLW0108 - there is none yet
            _bearing(how, engine, settings),
            wake,
        )
        minion.record(
            events.minion_start(
                time.time(),
                me.uid,
                queue=engine.queue,
                engine=how.engine,
                where=engine.where,
                host=me.host,
                pid=me.pid,
                start=me.start,
                boot=me.boot,
                namespace=me.namespace,
                job=place.job(os.environ),
                command=list(callback.command),
                slots=how.slots,
                version=__version__,
            )
        )
        return minion

    def _open(self, me: Identity, service: bool) -> Engine:
        """Open the queue; a service says that there is none yet, and waits."""
        said = self._quiet
        while True:
            try:
                return open_to_work(self._settings, me)
            except NoQueue as error:
                if not service:
                    raise
                if not said:
                    sys.stderr.write(f"minionize: {error}\n  Waiting for it.\n")
                    said = True
                time.sleep(SERVICE_PAUSE)


def _set_up(callback: Callback) -> None:
    """Prepare, before anything is taken from the queue."""
    try:
        callback.setup()
    except MinionizeError:
        raise
    except Exception as error:
        from minionize.slots.calls.raised import print_trace
        from minionize.slots.calls.results import reason

        print_trace(error)
        raise SetupFailed(f"setup failed: {reason(error)}") from error


def _bearing(how: Options, engine: Engine, settings: Settings) -> Options:
    """Let a minion stay long enough by default, where a queue cannot tell that somebody still holds something.

    Else all leave in the lease that a minion which vanished had left, and its tasks stay behind.
    """
    if engine.traits.finite or engine.traits.lease != "timed" or settings.source(table.IDLE_TIMEOUT) != "default":
        return how
    return how._replace(idle_timeout=max(how.idle_timeout, 1.5 * how.lease))


def _open_standard_files() -> None:
    """Open those of 0, 1 and 2 that are closed: else a file of ours gets the number, and what is meant for a reader."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
