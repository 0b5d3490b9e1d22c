"""Write the README's tables that are made from the code: ``python tests/docs/generate.py``."""

from __future__ import annotations

import sys
from pathlib import Path

from minionize import plugins
from minionize.engines.memory import MemoryEngine, MemoryQueue
from minionize.place import identity
from minionize.settings import launching
from minionize.settings.document import settings_table

README = Path(__file__).parents[2] / "README.rst"


def generated(text: str) -> str:
    """Return the README's text with its generated tables as they should be."""
    text = _between(text, "settings", settings_table())
    text = _between(text, "launch settings", settings_table(launching.TABLE))
    return _between(text, "engines", engines_table())


def _between(text: str, name: str, table: str) -> str:
    head, begin, rest = text.partition(f".. {name} begin\n")
    _, end, tail = rest.partition(f".. {name} end\n")
    return f"{head}{begin}\n{table.strip()}\n\n{end}{tail}"


def engines_table() -> str:
    """Make the table of engines from their traits."""
    engines = {name: plugins.find("engine", name).traits for name in plugins.BUILT_IN["engine"]}
    engines["file (standard input)"] = MemoryEngine(MemoryQueue(keep=False), identity()).traits
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - Engine"]
    lines += [f"     - {column}" for column in _COLUMNS]
    for name, traits in engines.items():
        lines.append(f"   * - ``{name.split(' ')[0]}``{name[len(name.split(' ')[0]) :]}")
        lines += [f"     - {cell(traits)}" for cell in _COLUMNS.values()]
    return "\n".join(lines) + "\n"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_COLUMNS = {
    "Durable": lambda traits: _yes(traits.durable),
    "Lease": lambda traits: traits.lease,
    "Delayed retries": lambda traits: _yes(traits.delay),
    "Late settlements refused": lambda traits: _yes(traits.fencing),
    "Counts": lambda traits: traits.counts,
    "Known params not added again": lambda traits: _yes(traits.dedup),
    "Dead letters, retry": lambda traits: _yes("retry" in traits.admin),
    "Empty means": lambda traits: "all is settled" if traits.finite else "nothing came for a while",
}

if __name__ == "__main__":
    wanted = generated(README.read_text("utf-8"))
    if "--check" in sys.argv:
        sys.exit(wanted != README.read_text("utf-8"))
    README.write_text(wanted, "utf-8")
