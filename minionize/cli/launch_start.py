"""``minion-launch LAUNCHER``: make the plan, look whether it can work, start it, record it, and say what to type next."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from minionize import place
from minionize.cli import common
from minionize.cli.launch_plan import make
from minionize.cli.launch_queue import look_at_queue
from minionize.cli.program import choose
from minionize.errors import LaunchError, LaunchRefused, UsageError
from minionize.launchers import records
from minionize.launchers.shell import line
from minionize.masks import mask
from minionize.settings import launching, load, table
from minionize.settings.declared import rows_of
from minionize.settings.read import FLAG
from minionize.settings.setting import LAUNCHING
from minionize.status.safe import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from minionize.launchers.base import Launcher, Plan
    from minionize.launchers.records import Record
    from minionize.settings import Settings
    from minionize.settings.setting import Setting


def start(known: Mapping[str, type[Launcher]], namespace: argparse.Namespace, rows: Sequence[Setting[Any]]) -> int:
    """Let the first launcher that takes it have it; ``rows`` are the settings of all of them. Returns the exit code."""
    settings = load(common.flags_of(namespace, (*table.TABLE, *rows)), extra=(*launching.TABLE, *rows))
    for warning in settings.warnings:
        _say(warning)
    words = namespace.command[1:] if namespace.command[:1] == ["--"] else namespace.command
    if choose(settings, words) is None:
        raise UsageError(f"run what?\n  minion-launch {next(iter(known))} -c 10 -- ./simulate {{seed}}")
    refused: dict[str, str] = {}
    for name, launcher in known.items():
        try:
            code = _try(name, launcher, settings, words, namespace)
        except LaunchRefused as error:
            refused[name] = str(error)
            continue
        _say_others(refused, name)
        return code
    raise LaunchError(_nobody(refused))


def _try(
    name: str, launcher: type[Launcher], settings: Settings, words: Sequence[str], namespace: argparse.Namespace
) -> int:
    """Launch by this one; raises LaunchRefused where it cannot, or does not want to."""
    _refuse_flags(name, launcher, settings)
    chosen = launcher.from_settings(settings)
    why = "" if namespace.script else chosen.available()
    if why:
        raise LaunchRefused(why)
    plan = make(name, chosen, settings, words)
    if namespace.script:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(chosen.script(plan)))
        _say(f"what minions say would go to {safe(plan.logs)}; by hand:  mkdir -p {safe(line([plan.logs]))}")
        return 0
    queue = look_at_queue(name, chosen, settings, words, _say)
    plan = plan._replace(queue=queue.path)
    paid = chosen.spends_money and not namespace.apply
    if namespace.dry_run or settings[table.DRY] or paid:
        _show(chosen, plan, paid)
        return 0
    return _launch(name, chosen, plan, settings, queue.where)


def _refuse_flags(name: str, launcher: type[Launcher], settings: Settings) -> None:
    taken = {row.name for row in (*launching.COMMON, *rows_of(launcher))}
    for row in settings.rows:
        if row.name.startswith(LAUNCHING) and row.name not in taken and settings.strength(row) >= FLAG:
            raise LaunchRefused(f"{name} has no {row.flags[-1]}")


def _launch(name: str, chosen: Launcher, plan: Plan, settings: Settings, where: str) -> int:
    record = _record(name, plan, settings, where)
    try:
        records.write(record)
        os.makedirs(plan.logs, exist_ok=True)
    except OSError as error:
        _take_back(record)
        raise LaunchError(
            f"nothing was started, since it cannot be recorded: {error.filename or records.home()}: {error.strerror}"
        ) from error
    try:
        handle = chosen.submit(plan)
    except (LaunchRefused, UsageError):
        _take_back(record)
        raise
    except OSError as error:
        _take_back(record)
        raise LaunchRefused(f"nothing was started: {error.filename or plan.logs}: {error.strerror}") from error
    except BaseException:
        _say(f"whether {plan.id} was started is not known. Ask:  minion-launch status {plan.id}")
        raise
    code = _keep(record._replace(stage="launched", handle=handle), chosen)
    minions = "1 minion" if plan.size == 1 else f"{plan.size} minions"
    print(f"{plan.id}: {minions} by {name} ({safe(str(handle['job']))}), on {safe(where)}")
    for sentence in handle.get("failed", ()):
        _say(sentence)
        code = 1
    print(_next(plan))
    return code


def _record(name: str, plan: Plan, settings: Settings, where: str) -> Record:
    reports = settings[table.REPORT_DIRECTORY] or ""
    return records.Record(
        id=plan.id,
        launcher=name,
        name=plan.name,
        size=plan.size,
        at=time.time(),
        user=place.user(),
        host=place.identity().host,
        directory=plan.directory,
        logs=plan.logs,
        reports=os.path.join(plan.directory, reports),
        queue=where,
        command=mask(line(plan.argv)),
    )


def _take_back(record: Record) -> None:
    records.forget(record)
    try:
        for name in os.listdir(record.logs):
            records.forget_file(os.path.join(record.logs, name))
        os.rmdir(record.logs)
    except OSError:
        pass


def _keep(record: Record, chosen: Launcher) -> int:
    """Record what was launched; where that fails it runs all the same, and only now somebody knows how to end it."""
    try:
        records.write(record)
    except OSError as error:
        _say(
            f"the minions run, but could not be recorded: {records.home()}: {error.strerror}\n"
            f"  They are {record.job}. End them by:  {chosen.by_hand(record.handle)}"
        )
        return 1
    return 0


def _show(chosen: Launcher, plan: Plan, paid: bool) -> None:
    for command in chosen.commands(plan):
        there = f"cd {line([command.directory])} && " if command.directory else ""
        print(safe(f"{there}{line(command.argv)}") + (" < SCRIPT" if command.input is not None else ""))
    _say("the script:  the same with --script")
    if paid:
        _say("nothing was started: it would be paid for. Do it:  the same with --apply")


def _next(plan: Plan) -> str:
    return f"""\
  the work:     minion-status -w
  the minions:  minion-launch status {plan.id}
  their words:  {safe(os.path.relpath(plan.logs, plan.directory))}
  end them:     minion-launch drain {plan.id}     or at once     minion-launch stop {plan.id}"""


def _say_others(refused: Mapping[str, str], chosen: str) -> None:
    for name, why in refused.items():
        _say(f"not {name}: {why}")
    if refused:
        _say(f"chosen: {chosen}")


def _nobody(refused: Mapping[str, str]) -> str:
    if len(refused) == 1:
        return next(iter(refused.values()))
    lines = [f"{name}: {why}".replace("\n", "\n  ") for name, why in refused.items()]
    return "\n  ".join([f"none of {', '.join(refused)} takes it:", *lines])


def _say(text: str) -> None:
    print(f"minion-launch: {text}", file=sys.stderr)
