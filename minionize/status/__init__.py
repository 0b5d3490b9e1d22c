"""What a run did, does and will do: event files and the queue's books, joined into one model.

    from minionize.status import load, to_pandas

    status = load("minion-report")          # what minion-status shows: see minionize.status.model
    status.counts.done, status.eta, status.rates.five, status.durations.done.p90
    for group in status.failures:
        print(group.size, group.cause.signature)
    frame = to_pandas("minion-report")      # one row per execution

``ledger`` adds events up, ``read`` follows a directory of event files, ``build`` makes the numbers of ``model`` from
both; ``text``, ``tables``, ``document`` and ``csv_tables`` are views, ``where`` and ``rows`` filter and sort. Nothing here is imported
by a minion, and nothing here writes but ``cache``, which keeps what was read for the next time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minionize.engines.base import Engine
    from minionize.status.frame import to_pandas
    from minionize.status.model import Status

__all__ = ["load", "to_pandas"]


def load(directory: str = "minion-report", engine: Engine | None = None) -> Status:
    """Read a report directory, and the books of a queue, into one :class:`minionize.status.model.Status`.

        from minionize.app import open_engine
        from minionize.settings import load as settings

        engine = open_engine(settings())    # the queue that MINION_ENGINE and the rest name
        try:
            status = load("minion-report", engine)
        finally:
            engine.close()

    Without an engine, events alone tell: what is left to do is unknown then (None), and so is the ETA. A directory that does
    not exist has no events. Times are seconds since the epoch, lengths seconds. Raises EngineUnavailable where the queue
    does not answer.
    """
    import time

    from minionize.status.books import ask
    from minionize.status.build import build
    from minionize.status.read import EventFiles

    files = EventFiles(directory)
    # The books first: an event precedes its settlement, so that what is in the books is in the events.
    books = ask(engine) if engine is not None else None
    files.refresh()
    return build(files, books, time.time())


def __getattr__(name: str) -> object:
    if name == "to_pandas":
        from minionize.status.frame import to_pandas

        return to_pandas
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
