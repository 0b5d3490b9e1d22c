"""The screen, word for word, by a fixed clock in UTC."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize.model import Control, Counts, Entry
from minionize.status import tables
from minionize.status.build import build
from minionize.status.document import document
from minionize.status.safe import width
from minionize.status.style import Style
from minionize.status.summary import summary
from minionize.status.text import screen

STYLE = Style(clock=time.gmtime)
README = Path(__file__).parents[2] / "README.rst"


def _screen(directory, counts, *, clock=NOW, style=STYLE):
    return "\n".join(screen(build(read(directory), counts, clock), style)) + "\n"


def _sweep(directory):
    """Two minions on two nodes, an hour and three quarters into a sweep."""
    good = Minion(directory, "c69d4bd8aaaa", ago=6303, slots=2, job={"id": "1287856"})
    bad = Minion(directory, "a9ec0806bbbb", ago=6300, host="paravance-7.rennes")
    for n in range(100):
        good.ends(f"g{n}", ago=6200 - 62 * n, took=50.0 + n / 10)
    for n in range(40):
        fields = {"param": f'{{"seed": {n}, "alpha": 0.10}}', "ago": 6000 - 150 * n}
        if n % 4:
            bad.ends(f"b{n}", took=60.0, **fields)
        else:
            stderr = f"reading\nsimulate: cannot open /data/m_{n}.bin\n"
            bad.ends(f"b{n}", "failed", took=1.4, exit=3, dead=True, reason="exit 3", stderr=stderr, **fields)
    good.starts("s", ago=602, param='{"seed": 4711, "alpha": 0.10}').starts(
        "t", ago=31, param='{"seed": 4712, "alpha": 0.5}'
    )
    bad.starts("u", ago=91).beats(ago=45)
    leased = [
        Entry(id, param, "leased", 1, 1, minion=minion.uid, host=host, since=NOW - ago)
        for id, param, minion, host, ago in (
            ("s", '{"seed": 4711, "alpha": 0.10}', good, "paravance-1.rennes", 603),
            ("t", '{"seed": 4712, "alpha": 0.5}', good, "paravance-1.rennes", 32),
            ("u", '{"seed": 1}', bad, "paravance-7.rennes", 92),
        )
    ]
    return books(pending=857, leased=3, done=130, dead=10)._replace(leased=tuple(leased))


def test_a_run_in_full(tmp_path):
    """Everything there is to say, in 23 lines; what to act on last."""
    assert _screen(tmp_path, _sweep(tmp_path)) == RUNNING


RUNNING = """\
minion-queue.db (sqlite)   1000 params   started 08:56   running 1:45:03
█████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  14.0%  ETA ~8 hours and 2 minutes (18:44)
done 130  dead 10 (7.1%)  in flight 2  lost 1  pending 857

rate  0.00/min (1m)  1.00 (5m)  1.27 (15m)   chart: 1h46   1 minion, 1 node
    1.50   ┼  ╭──╮ ╭───╮╭───╮╭──╮ ╭───╮╭───╮╭───╮╭───╮╭───╮╭───╮
    0.75   ┤╭─╯  ╰─╯   ╰╯   ╰╯  ╰─╯   ╰╯   ╰╯   ╰╯   ╰╯   ╰╯   ╰
    0.00   ┼╯

duration        n      min      p50      p90      p99      max
done          130    50.0s    56.4s     1m00     1m00     1m00
failed         10     1.4s     1.4s     1.4s        -     1.4s

failures    share  last   nodes  error
   10        100%   10m      1    exit 3: simulate: cannot open /data/m_#.bin

! paravance-7 fails 25.0% of tasks (others 0.0%)  minion-status --nodes
! 1 param held by lost minions                    minion-queue release --lost
! 1 straggler, in flight for up to 10m            minion-status --in-flight
  see one failure with its stderr                 minion-status --failures 1
  put the dead ones back                          minion-queue retry --all
"""


def test_the_same_in_ascii(tmp_path):
    """For a terminal that knows no better."""
    shown = _screen(tmp_path, _sweep(tmp_path), style=STYLE._replace(unicode=False))
    assert shown.isascii()
    assert shown.splitlines()[1].startswith("#####......")


def test_a_finished_run(tmp_path):
    """When it ended and how long it took; nothing of what runs."""
    minion = Minion(tmp_path, ago=120)
    for n in range(20):
        minion.ends(f"t{n}", ago=100 - 4 * n, took=4.0)
    minion.stops(ago=20).beats(ago=20)
    assert _screen(tmp_path, books(done=20), clock=NOW + 90000) == FINISHED


FINISHED = """\
minion-queue.db (sqlite)   20 params   started 10:40
█████████████████████████████████████████████  100.0%  finished 10:41, took 1:36
done 20

rate  12.50/min (mean)   chart: 1m
   30.00   ┼         ╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮╭╮
   15.00   ┤         ││││││││││││││││││││││││││││││││││││││
    0.00   ┼─────────╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰╯╰

duration        n      min      p50      p90      p99      max
done           20     4.0s     4.0s     4.0s        -     4.0s
"""


def test_a_stalled_run(tmp_path):
    """Since when, and what to do."""
    Minion(tmp_path, ago=900).ends("a", ago=800, took=5.0).starts("b", ago=790).beats(ago=720)
    assert _screen(tmp_path, books(pending=12, leased=1, done=1)) == STALLED


STALLED = """\
minion-queue.db (sqlite)   14 params   started 10:27
██░░░░░░░░░░░░░░░░░░░░  7.1%  STALLED: no minion alive since 12m, 13 params left
done 1  in flight 0  lost 1  pending 12

rate  0.00/h (1m)  0.00 (5m)  4.00 (15m)   chart: 15m
  240.00   ┼     ╭╮
  120.00   ┤     ││
    0.00   ┼─────╯╰────────────────────────────────────────────────────

duration        n      min      p50      p90      p99      max
done            1     5.0s     5.0s        -        -     5.0s

in flight  param   node         minion
    13m10  seed=1  paravance-1  c69d4bd8  lost

! 1 param held by lost minions                minion-queue release --lost
  start a minion                              minionize ./simulate '{seed}'
"""


def test_what_no_minion_holds_is_told_how_to_get_back(tmp_path):
    """As what another program took from a ParamSweeper: minions that are started would wait for it in vain."""
    Minion(tmp_path).stops("idle", ago=100)
    counts = books(leased=1)._replace(leased=(Entry("a", "1", "leased", 1, 1),))
    shown = _screen(tmp_path, counts)
    assert "give back what no minion holds              minion-queue release --lost" in shown


def test_a_drained_queue_is_not_told_to_start_minions(tmp_path):
    """They would leave at once: first it is to be resumed."""
    Minion(tmp_path).stops("drain", ago=100)
    shown = _screen(tmp_path, books(pending=3, drained=Control("ana@login", NOW - 300)))
    assert "minion-queue resume" in shown
    assert "start a minion" not in shown


def test_a_long_command_takes_no_room_from_the_texts_of_others(tmp_path):
    """A warning is read whole where there is room for it on its own line."""
    good, bad = Minion(tmp_path, "good"), Minion(tmp_path, "bad", host="paravance-71-gpu")
    for n in range(30):
        good.ends(f"g{n}", ago=100)
        bad.ends(f"b{n}", "failed", exit=1, dead=True, ago=100)
    good.stops("drain", ago=90)
    bad.stops("drain", ago=90)
    shown = _screen(tmp_path, books(pending=5, done=30, dead=30))
    assert "! paravance-71-gpu fails 100.0% of tasks (others 0.0%)  minion-status --nodes\n" in shown
    assert "  start a minion                                   minionize ./simulate '{seed}'\n" in shown


def test_secrets_are_masked_wherever_they_are_shown(tmp_path):
    """In lists and in the document: a screen is shared, a log is passed on."""
    param = '{"db_password": "hunter2", "url": "x://u:hunter2@h", "in": {"token": "hunter2"}, "of": [{"pwd": "hunter2"}], "n": 0.10}'
    minion = Minion(tmp_path).ends("a", "failed", exit=1, param=param).starts("b", ago=5, param=param)
    minion.write(
        f'{{"v":1,"type":"minion_start","t":{NOW - 600},"minion":"{minion.uid}","queue":"q1","where":"x://u:hunter2@h",'
        '"command":["./a","--token","hunter2","x://u:hunter2@h"]}\n'
    )
    files = read(tmp_path)
    status = build(files, None, NOW)
    made = document(status, files)
    wide = STYLE._replace(columns=400)
    group = tables.failure_detail(status, files, status.failures[0], wide, 0)
    shown = json.dumps(made) + "\n".join([*group, *tables.in_flight_list(status, wide, 0)])
    assert "hunter2" not in shown
    assert made["failures"][0]["example"]["param"]["n"] == 0.10
    assert "n=0.10" in shown


def test_a_queue_that_waits_for_its_first_minion(tmp_path):
    """Counts, and the command to type."""
    assert _screen(tmp_path, books(pending=2000)) == WAITING


WAITING = """\
minion-queue.db (sqlite)   2000 params
░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0.0%  waiting for a minion, 2000 params left
done 0  in flight 0  pending 2000

  start a minion                              minionize COMMAND {}
"""


def test_an_empty_queue(tmp_path):
    """Is not a finished run."""
    assert _screen(tmp_path, books()) == EMPTY


EMPTY = """\
minion-queue.db (sqlite)   0 params
empty: the queue has no params
done 0

  fill it                                     minion-queue put seed=1..10
"""


def test_one_event(tmp_path):
    """A minion that has just come."""
    Minion(tmp_path, ago=0)
    assert _screen(tmp_path, books(pending=1)) == ONE_EVENT


ONE_EVENT = """\
minion-queue.db (sqlite)   1 param   started 10:42   running 0.0s
░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0.0%  ETA -
done 0  in flight 0  pending 1
"""


def test_events_alone(tmp_path):
    """No percentage, no estimate, nothing pending: it is not known."""
    minion = Minion(tmp_path, ago=49 * 3600 + 12)
    for n in range(49):
        minion.ends(f"t{n}", ago=3600 * n, took=3590.0)
    assert _screen(tmp_path, None) == EVENTS_ALONE


EVENTS_ALONE = """\
minion-queue.db (sqlite)   started 2025-11-19 09:41   running 49:00:12
running
done 49  in flight 0   (no queue here: counted from events)

rate  60.00/h (1m)  12.00 (5m)  4.00 (15m)   chart: 2d01h   1 minion, 1 node
    1.00   ┼╭───────────────────────────────────────────────
    0.50   ┤│
    0.00   ┼╯

duration        n      min      p50      p90      p99      max
done           49    59m50    59m50    59m50        -    59m50
"""


def test_a_queue_that_counts_nothing(tmp_path):
    """A broker: what is done the events tell, what is left nobody; so no share, and no estimate."""
    Minion(tmp_path, ago=60).ends("a", ago=30, took=5.0).starts("b", ago=20)
    nothing = books(engine="google", where="projects/p/subscriptions/minions")._replace(counts=Counts())
    assert _screen(tmp_path, nothing) == NO_COUNTS


NO_COUNTS = """\
projects/p/subscriptions/minions (google)   started 10:41   running 1:00
running
done 1  in flight 1

rate  1.00/min (1m)   chart: 1m   1 minion, 1 node
   60.00   ┼                             ╭╮
   30.00   ┤                             ││
    0.00   ┼─────────────────────────────╯╰────────────────────────────

duration        n      min      p50      p90      p99      max
done            1     5.0s     5.0s        -        -     5.0s

in flight  param   node         minion
    20.0s  seed=1  paravance-1  c69d4bd8
"""


def test_what_is_left_out_is_said(tmp_path):
    """Warnings have five lines, a hint one of them; a note takes two at most, and is no alarm."""
    counts = _sweep(tmp_path)._replace(
        notes=("The server keeps no file: " + "what happened is lost if it stops. " * 9,)
    )
    minion = Minion(tmp_path, "another", queue="q0")
    minion.ends("x").write("garbage\n").beats()
    lines = screen(build(read(tmp_path), counts, NOW), STYLE)
    assert lines[-5:] == [
        "! 4 more of these                                 minion-status --json",
        "! paravance-7 fails 25.0% of tasks (others 0.0%)  minion-status --nodes",
        "! 1 param held by lost minions                    minion-queue release --lost",
        "! 1 straggler, in flight for up to 10m            minion-status --in-flight",
        "  put the dead ones back                          minion-queue retry --all",
    ]
    shown = _screen(tmp_path / "none", books(pending=1, notes=counts.notes)).splitlines()
    assert shown[-3].startswith("i The server keeps no file: what happened is lost")
    assert shown[-2].startswith("  ")
    assert shown[-2].endswith("...")


def test_one_line_says_how_far_it_is(tmp_path):
    """For a log."""
    counts = _sweep(tmp_path)
    assert summary(build(read(tmp_path), counts, NOW), STYLE) == SUMMARY
    waiting = summary(build(read(tmp_path / "none"), books(pending=5), NOW), STYLE)
    assert waiting == "10:42:00  waiting  0.0%  done 0  in flight 0  pending 5"
    alone = summary(build(read(tmp_path), None, NOW), STYLE)
    assert alone == "10:42:00  running  done 130  dead 10  in flight 2  lost 1  0.00/min  3 warnings"


SUMMARY = (
    "10:42:00  running  14.0%  done 130  dead 10  in flight 2  lost 1  pending 857  0.00/min"
    "  ETA ~8 hours and 2 minutes (18:44)  3 warnings"
)


def test_numbers_are_grouped_where_asked(tmp_path):
    """On a terminal."""
    assert "2 000 params" in _screen(tmp_path, books(pending=2000), style=STYLE._replace(separator=" "))


def test_colour_changes_nothing_but_colour(tmp_path):
    """The same lines, when the escapes are taken out."""
    counts = _sweep(tmp_path)
    coloured = _screen(tmp_path, counts, style=STYLE._replace(color=True))
    assert "\x1b[31mdead 10" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == _screen(tmp_path, counts)


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=200), st.integers(40, 120))
def test_hostile_text_is_shown_safely_and_fits(tmp_path_factory, text, columns):
    """Params, stderr, hosts and reasons may hold anything."""
    directory = tmp_path_factory.mktemp("hostile")
    param = json.dumps({text: text})
    minion = Minion(directory, host=text, job={"id": text})
    minion.ends("a", "failed", param=param, stderr=text, reason=text, dead=True).starts("b", ago=5, param=param)
    files = read(directory)
    status, style = build(files, None, NOW), STYLE._replace(columns=columns)
    lists = (tables.failure_list, tables.in_flight_list, tables.minion_list, tables.node_list)
    drawn = screen(status, style) + [line for draw in lists for line in draw(status, style, 20)]
    assert max(width(line) for line in drawn) <= columns
    assert all(
        line.isprintable() for line in drawn + tables.failure_detail(status, files, status.failures[0], style, 20)
    )
    assert json.loads(json.dumps(document(status, files)))["failures"][0]["example"]["param"] == {text: text}


def test_the_screen_never_exceeds_a_terminal(tmp_path):
    """80 columns, 23 lines and the prompt, with more groups, warnings and tasks than fit."""
    counts = _sweep(tmp_path)
    minion = Minion(tmp_path, "another", queue="q0")
    minion.ends("x").write("garbage\n").beats()
    more = Minion(tmp_path, "more")
    for n, word in enumerate(("alpha", "beta", "gamma", "delta", "epsilon")):
        more.ends(f"w{n}", "failed", exit=1, stderr=f"{word}\n" * 3)
    lines = screen(build(read(tmp_path), counts, NOW), STYLE)
    assert len(lines) <= 23
    assert max(map(width, lines)) <= 80
    assert "  in 4 more groups   minion-status --failures" in "\n".join(lines)


def test_one_group_of_failures_with_its_stderr(tmp_path):
    """The params, newest first, and what the newest wrote."""
    counts = _sweep(tmp_path)
    files = read(tmp_path)
    status = build(files, counts, NOW)
    assert "\n".join(tables.failure_detail(status, files, status.failures[0], STYLE, 2)) + "\n" == DETAIL


DETAIL = """\
group 1: exit 3: simulate: cannot open /data/m_#.bin   (10 params, 100% of fail…

WHEN   TOOK  TRY  PARAM               NODE         MINION    ID
10:32  1.4s    1  seed=36 alpha=0.10  paravance-7  a9ec0806  b36
10:22  1.4s    1  seed=32 alpha=0.10  paravance-7  a9ec0806  b32
+ 8 more   --limit 0 shows all

reason of the newest: exit 3
stderr of the newest, its end:
  reading
  simulate: cannot open /data/m_36.bin

try it again: minion-queue retry b36
"""


def test_the_lists(tmp_path):
    """What is in flight, the minions, the nodes."""
    counts = _sweep(tmp_path)
    status = build(read(tmp_path), counts, NOW)
    lists = (tables.failure_list, tables.in_flight_list, tables.minion_list, tables.node_list)
    assert "\n\n".join("\n".join(draw(status, STYLE, 2)) for draw in lists) + "\n" == LISTS


LISTS = """\
#  COUNT  SHARE  FIRST  LAST  NODES  ERROR
1     10   100%   1h40   10m      1  exit 3: simulate: cannot open /data/m_#.bin

the params of one group, with stderr: minion-status --failures 1

  AGE  xP50  TRY  PARAM                 MINION    NODE         STATE
10m02  10.7    1  seed=4711 alpha=0.10  c69d4bd8  paravance-1  straggler
 1m31   1.6    1  seed=1                a9ec0806  paravance-7  lost
+ 1 more   --limit 0 shows all

MINION    NODE               JOB      STATE    UP  DONE  FAIL  FAIL%  BUSY%  NOW
c69d4bd8  paravance-1.renn…  1287856  busy   1h45   100     0   0.0%    49%    2
a9ec0806  paravance-7.renn…  -        lost   1h44    30    10  25.0%    29%    0

NODE                UP  SEEN  DONE  FAIL  FAIL%    P50  xFLEET  LAST
paravance-7.rennes   0     1    30    10  25.0%   1m00     1.1    2m  bad
paravance-1.rennes   1     1   100     0   0.0%  54.9s     1.0    1m
"""


def test_the_readme_names_every_field_of_the_document(tmp_path):
    """And nothing that is not there."""
    counts = _sweep(tmp_path)
    files = read(tmp_path)
    made = document(build(files, counts, NOW), files)
    table = README.read_text("utf-8").partition("``schema_version`` 1 may")[2].partition("The events themselves")[0]
    named, field = {}, ""
    for line in table.splitlines():
        head, words = line[:20], re.findall(r"``(\w+)``", line[20:])
        field = head.strip().strip("`") or field
        named.setdefault(field, set()).update(words)
    named.pop("warnings")
    example = {**made["failures"][0], **made["failures"][0]["example"]}
    found = {
        **{name: set() for name in ("now", "success_rate")},
        **{name: set(made[name]) for name in ("run", "counts", "eta", "rate", "minions")},
        "duration": {"done", "failed", *made["duration"]["done"]},
        "failures": set(example),
        **{name: set(made[name][0]) for name in ("in_flight", "minion_list", "nodes")},
    }
    assert {name: words for name, words in named.items() if name in found} == found
    assert made.keys() - found.keys() == {"schema_version", "warnings"}


def test_the_document_has_the_schema_that_programs_rely_on(tmp_path):
    """Names, units and nulls."""
    counts = _sweep(tmp_path)
    files = read(tmp_path)
    made = document(build(files, counts, NOW), files)
    assert next(iter(made)) == "schema_version"
    assert made["now"] == "2025-11-21T10:42:00.000Z"
    assert made["run"] == {
        "engine": "sqlite",
        "queue": "minion-queue.db",
        "queue_id": "q1",
        "state": "running",
        "started": "2025-11-21T08:56:57.000Z",
        "elapsed_s": 6303.0,
        "command": ["./simulate", "{seed}"],
    }
    assert made["counts"] == {
        "source": "queue", "total": 1000, "pending": 857, "delayed": 0, "leased": 3, "done": 130, "dead": 10,
        "in_flight": 2, "lost": 1, "executions": 140,
    }  # fmt: skip
    assert made["eta"]["method"] == "busy-window"
    assert set(made["rate"]) == {"1m", "5m", "15m", "mean"}
    assert (made["duration"]["failed"]["n"], made["duration"]["failed"]["p99"]) == (10, None)
    assert made["success_rate"] == pytest.approx(130 / 140)
    group = made["failures"][0]
    assert (group["kind"], group["code"], group["count"], group["example"]["param"]) == (
        "exit",
        3,
        10,
        {"seed": 36, "alpha": 0.1},
    )
    assert made["minions"] == {"up": 1, "lost": 1, "ended": 0}
    assert [w["code"] for w in made["warnings"]] == ["bad_node", "lost", "stragglers"]
    empty = document(build(read(tmp_path / "none"), None, NOW), files)
    assert (empty["eta"], empty["counts"]["total"], empty["duration"]["done"]) == (None, None, None)
