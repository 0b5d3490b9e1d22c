#!/usr/bin/env python3
"""Print a line of CSV for each (C, gamma), the best mean score over the seeds first.

The queue says which tasks are done; the events in minion-report say what came of them. What is missing is said on
standard error, and makes the exit code 1: a mean over fewer seeds is no mean over all.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean


def states() -> dict[str, str]:
    """Return the state of every task of the queue, by id."""
    listing = subprocess.run(["minion-queue", "list", "--limit", "0"], stdout=subprocess.PIPE, text=True, check=False)
    if listing.returncode:
        sys.exit(listing.returncode)  # minion-queue has said why
    return dict(line.split()[:2] for line in listing.stdout.splitlines())


def results(directory: str) -> dict[str, dict]:
    """Return the event of each task's newest execution that was done, by id."""
    ends = {}
    for path in Path(directory).glob("*.jsonl"):
        for line in path.open():
            try:
                event = json.loads(line)
            except ValueError:  # being written, or cut short with its disk
                continue
            if event["type"] == "task_end":
                # A second one of the same delivery replaces the first: its lease was lost.
                ends[event["minion"], event["id"], event["delivery"]] = event
    done = [event for event in ends.values() if event["outcome"] == "done"]
    return {event["id"]: event for event in sorted(done, key=lambda event: event["t"])}


def main() -> int:
    state = states()  # before the events: an event precedes its settlement
    events = results(sys.argv[1] if len(sys.argv) > 1 else "minion-report")
    done = [id for id in state if state[id] == "done"]
    scored = [events[id] for id in done if id in events and events[id]["result"]]

    scores = defaultdict(list)
    for event in scored:
        scores[event["param"]["C"], event["param"]["gamma"]].append(event["result"]["score"])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["C", "gamma", "fits", "mean", "worst"])
    for point, values in sorted(scores.items(), key=lambda item: (-mean(item[1]), item[0])):
        writer.writerow([*point, len(values), f"{mean(values):.4f}", f"{min(values):.4f}"])

    dead = list(state.values()).count("dead")
    missing = {
        "dead (see: minion-status --failures)": dead,
        "not done yet": len(state) - len(done) - dead,
        "done, but without a score": len(done) - len(scored),
    }
    print(f"{len(scored)} of {len(state)} fits", *_words(missing), sep=", ", file=sys.stderr)
    return int(len(scored) < len(state))


def _words(missing: dict[str, int]) -> list[str]:
    return [f"{count} {what}" for what, count in missing.items() if count]


if __name__ == "__main__":
    sys.exit(main())
