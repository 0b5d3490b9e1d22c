"""Documentation that is made from the table: ``.env.example`` and the README's tables.

``python -m minionize.settings.document env`` (or ``rst``) prints them.
"""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from minionize.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minionize.settings.setting import Setting

#: What the groups of settings are about, in the order of the table.
TITLES = {
    "queue": "The queue",
    "program": "What runs",
    "minion": "Running tasks",
    "failures": "When tasks fail",
    "leaving": "When a minion leaves",
    "liveness": "Minions and servers that vanish",
    "reports": "Reports",
    "looking": "Looking without running",
    "launch": "minion-launch",
    "launch elsewhere": "minion-launch on other machines",
}

HEAD = """\
# Settings of minionize. Copy this file to .env in the directory where minions are started, and
# take away the # of what you change. A flag or a variable of the environment wins over it.
"""


def title(group: str) -> str:
    """Return the heading of a group of settings."""
    return TITLES.get(group, group.capitalize())


def groups(table: Iterable[Setting[Any]] = TABLE) -> Iterator[tuple[str, list[Setting[Any]]]]:
    """Yield a table's groups and their rows, in its order."""
    for group, rows in groupby(table, key=lambda row: row.group):
        yield group, list(rows)


def env_example() -> str:
    """Write ``.env.example``: every setting, commented out, with its default."""
    from minionize.settings import launching

    parts = [HEAD]
    for group, rows in groups((*TABLE, *launching.TABLE)):
        parts.append(f"# ---- {title(group)} ----\n")
        parts += [_env_entry(row) for row in rows]
    return "\n".join(parts)


def _env_entry(row: Setting[Any]) -> str:
    flags = f" ({', '.join(row.flags)})" if row.flags else ""
    return f"# {row.help}{flags}.\n# Allowed: {row.kind.allowed}\n#{row.name}={row.default or ''}\n"


def settings_table(table: Iterable[Setting[Any]] = TABLE) -> str:
    """Write settings as reStructuredText: one list-table a group."""
    return "\n".join(_rst_group(group, rows) for group, rows in groups(table))


def _rst_group(group: str, rows: list[Setting[Any]]) -> str:
    head = f".. list-table:: {title(group)}\n   :header-rows: 1\n\n"
    return head + _rst_row("Flag", "Variable", "Default", "Meaning") + "".join(map(_rst_setting, rows))


def _rst_setting(row: Setting[Any]) -> str:
    flags = ", ".join(f"``{flag}``" for flag in row.flags)
    default = f"``{row.default}``" if row.default else ""
    return _rst_row(flags, f"``{row.name}``", default, f"{row.help}. *{row.kind.allowed}*".replace("|", r"\|"))


def _rst_row(*cells: str) -> str:
    first, *others = [f"- {cell}".rstrip() for cell in cells]
    return f"   * {first}\n" + "".join(f"     {cell}\n" for cell in others)


if __name__ == "__main__":
    sys.stdout.write({"env": env_example, "rst": settings_table}[sys.argv[1]]())
