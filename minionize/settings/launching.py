"""The settings of ``minion-launch``: rows like those of the table, each known where a launcher that declares it is chosen."""

from __future__ import annotations

import re
from typing import Any

from minionize.settings.setting import LAUNCHING, LENGTH, PATH, POSITIVE, SWITCH, TEXT, Kind, Setting


def _label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", text):
        raise ValueError(text)
    return text


def _walltime(text: str) -> float:
    """Read a time with a unit: a bare number is minutes to one scheduler, and hours to another."""
    clock = re.fullmatch(r"(\d{1,5}):([0-5]?\d):([0-5]?\d)", text)
    if not clock and text.isdigit():
        raise ValueError(text)
    seconds = (
        sum(int(part) * unit for part, unit in zip(clock.groups(), (3600, 60, 1), strict=True))
        if clock
        else LENGTH.parse(text)
    )
    if not 0 < seconds <= 1000 * 86400:  # beyond some years schedulers reckon wrong
        raise ValueError(text)
    return seconds


LABEL = Kind(_label, "up to 64 letters, digits and _ . + -, the first a letter or a digit", "NAME")

COUNT = Setting(
    f"{LAUNCHING}COUNT",
    POSITIVE,
    None,
    "Minions to start. Unset: 1; with ssh, one on each host",
    flags=("-c", "--count"),
    group="launch",
)
NAME = Setting(
    f"{LAUNCHING}NAME", LABEL, "minions", "What the launch, and its job, is called", flags=("--name",), group="launch"
)
WALLTIME = Setting(
    f"{LAUNCHING}WALLTIME",
    Kind(_walltime, "a duration with its unit, 90s, 5m, 1h30m, or hours:minutes:seconds; up to 1000d", "TIME"),
    None,
    "Longest time that each minion may run. Unset: what the scheduler gives",
    flags=("--walltime",),
    group="launch",
)
BEFORE = Setting(
    f"{LAUNCHING}BEFORE",
    TEXT,
    None,
    "A line of shell to run before the minion, as in 'module load gcc'. The flag may be repeated",
    flags=("--before",),
    group="launch",
)
INTERPRETER = Setting(
    f"{LAUNCHING}INTERPRETER",
    PATH,
    None,
    "The Python there that has minionize. Unset: the one of this minion-launch",
    flags=("--interpreter",),
    group="launch",
)
LOGS = Setting(
    f"{LAUNCHING}LOGS",
    PATH,
    "minion-launch",
    "Where what minions say goes: a directory, with one in it for each launch",
    flags=("--logs",),
    group="launch",
)

BESTEFFORT = Setting(
    f"{LAUNCHING}BESTEFFORT",
    SWITCH,
    "0",
    "Minions may be killed whenever somebody needs their place, and start again later (slurm, oar)",
    flags=("--besteffort",),
    group="launch elsewhere",
)
EXTRA = Setting(
    f"{LAUNCHING}EXTRA",
    TEXT,
    None,
    "Options for sbatch, oarsub or ssh itself, as in '--constraint=x'. The flag may be repeated (slurm, oar, ssh)",
    flags=("--extra",),
    group="launch elsewhere",
)
RESOURCES = Setting(
    f"{LAUNCHING}RESOURCES",
    TEXT,
    None,
    "What oarsub asks for, as its -l takes it. Unset: /nodes=1/core=SLOTS; with --slots auto /nodes=1 (oar)",
    flags=("--resources",),
    group="launch elsewhere",
)
HOSTS = Setting(
    f"{LAUNCHING}HOSTS",
    TEXT,
    None,
    "The hosts, with commas between, as ssh takes them; or a file with one a line (ssh)",
    flags=("--hosts",),
    group="launch elsewhere",
)
CHDIR = Setting(
    f"{LAUNCHING}CHDIR",
    PATH,
    None,
    "The directory there where minions run. Unset: the one that has the name of this one (ssh)",
    flags=("--chdir",),
    group="launch elsewhere",
)

#: What stands between the values of a flag that was repeated.
BETWEEN = {EXTRA.name: " ", BEFORE.name: "\n"}
#: What every launcher takes.
COMMON: tuple[Setting[Any], ...] = (COUNT, NAME, WALLTIME, BEFORE, INTERPRETER, LOGS)
#: All of them, in the order in which help and documentation show them.
TABLE: tuple[Setting[Any], ...] = tuple(row for row in list(globals().values()) if isinstance(row, Setting))
