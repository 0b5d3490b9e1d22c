"""Whatever stands in a report directory, every view shows it safely, says what it passed over, and has no traceback."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize import app
from minionize.cli.status import main
from minionize.errors import NoQueue
from minionize.status.build import build
from minionize.status.document import document

VIEWS = [
    [], ["--json"], ["--failures"], ["--failures", "1"], ["--in-flight"], ["--minions"], ["--nodes"], ["--slow"],
    *(["--csv", table] for table in ("tasks", "failures", "minions", "nodes", "in-flight")),
    ["--slow", "--where", "x", "--sort", "param"], ["--csv", "tasks", "--where", "took>0", "--sort", "exit"],
]  # fmt: skip
HOSTILE = "\x1b]0;title\x07\x1b[2J\u202e<script>alert(1)</script>\r\n\x00\ud800=cmd|' /C calc'!A0"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty directory with no queue, at a fixed time."""

    def open_engine(settings, me=None, *, create=False):
        raise NoQueue("there is no queue")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setattr(app, "open_engine", open_engine)


def fill(directory):
    """Write everything at once: escapes in every text, garbage, a cut line, another run, the future, deep and odd values."""
    minion = Minion(directory, host=HOSTILE, job={"id": HOSTILE, HOSTILE: [HOSTILE]})
    odd = json.dumps({HOSTILE: HOSTILE, "n": float("nan")})
    minion.ends(HOSTILE, "failed", param=odd, stderr=HOSTILE, reason=HOSTILE, result=odd, dead=True, exit=1)
    minion.ends("deep", "failed", param="[" * 700 + "]" * 700, exit=2, ago=5).starts(
        "b", ago=9, param="[" * 700 + "]" * 700
    )
    minion.ends("objects", param='{"x":' * 300 + "1" + "}" * 300).ends("future", ago=-1e8).starts(
        HOSTILE, ago=7, param=odd
    )
    minion.write("garbage\n\0\0\n[]\n{}\n" + "[" * 100_000 + "\n")
    minion.write('{"v":1,"type":"task_end","t":"x","minion":"ghost"}\n')
    minion.write('{"v":1,"type":"task_end","t":1,"minion":"ghost","id":1,"delivery":{},"outcome":"done","took":1}\n')
    minion.write(
        '{"v":1,"type":"minion_start","t":5,"minion":"odd","queue":"q1","host":7,"pid":"x","slots":-1,"command":{}}\n'
    )
    minion.write('{"v":1,"type":"task_end","t":' + str(NOW) + ',"minion":"c69d4bd8')
    Minion(directory, "other", queue="q0").ends("z")
    minion.beats()


@pytest.mark.parametrize("argv", VIEWS, ids=" ".join)
def test_every_view_shows_it(here, capsys, argv):
    """On what could be a terminal no control comes through, but for the ends of lines."""
    fill("minion-report")
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert out
    assert "Traceback" not in out + err
    if "--csv" not in argv:
        assert all(line.isprintable() for line in out.split("\n"))


def test_what_was_passed_over_is_counted(here, capsys):
    """A line that is no event makes no minion; the cut one may still become whole."""
    fill("minion-report")
    assert main(["--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    warnings = {warning["code"]: warning for warning in said["warnings"]}
    assert warnings["unreadable"]["lines"] == 7
    assert warnings["other_queue"]["executions"] == 1
    assert warnings["future"]["executions"] == 1
    assert {minion["minion"] for minion in said["minion_list"]} == {"c69d4bd8aaaa", "odd"}


def test_json_is_strict(here, capsys):
    """A value that JSON does not have becomes text."""
    fill("minion-report")
    assert main(["--json"]) == 0

    def refused(constant):
        raise AssertionError(constant)

    json.loads(capsys.readouterr().out, parse_constant=refused)


def test_five_thousand_files_are_one_run(tmp_path):
    """Each minion of a large array has one."""
    for n in range(5000):
        with open(tmp_path / f"m{n}.jsonl", "w", encoding="utf-8") as file:
            file.write(
                f'{{"v":1,"type":"minion_start","t":{NOW - 60},"minion":"m{n}","queue":"q1","host":"h{n % 50}","slots":1}}\n'
            )
            file.write(
                f'{{"v":1,"type":"task_end","t":{NOW},"minion":"m{n}","id":"t{n}","attempt":1,"delivery":1,"start":{NOW - 1},'
                '"outcome":"done","took":1,"param":1}\n'
            )
        os.utime(tmp_path / f"m{n}.jsonl", (NOW, NOW))
    status = build(read(tmp_path), books(done=5000), NOW)
    assert (len(status.minions), len(status.nodes), status.counts.executions, status.warnings) == (5000, 50, 5000, ())


@given(st.lists(st.integers(0, 400), max_size=6), st.randoms(use_true_random=False))
def test_a_file_that_was_cut_and_stained_is_read_as_far_as_it_goes(tmp_path_factory, cuts, chance):
    """Bytes are taken out and put in anywhere: something is shown, whatever is left."""
    directory = tmp_path_factory.mktemp("stained")
    minion = Minion(directory).ends("a", "failed", exit=1, stderr="boom\n").starts("b", ago=3).ends("c").stops()
    with open(minion.path, "rb") as file:
        data = bytearray(file.read())
    for cut in cuts:
        del data[cut * 2 : cut * 2 + chance.randint(0, 30)]
        data[cut:cut] = chance.randbytes(chance.randint(0, 4))
    with open(minion.path, "wb") as file:
        file.write(data)
    files = read(directory)
    json.dumps(document(build(files, None, NOW), files), allow_nan=False)
