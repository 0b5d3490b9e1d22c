"""The HTML report: what it says of a run, that it is whole, and that it stays small. What a browser makes of it: tests/browser."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from status_events import NOW, Minion, books, read

from minionize.cli import report
from minionize.cli.status import main
from minionize.errors import UsageError
from minionize.model import Entry
from minionize.status.build import build
from minionize.status.html import page as pages
from minionize.status.html.page import page

_VOID = {"meta", "br"}


class Document(HTMLParser):
    """A page as a browser would see it: every element closed by its own name, and the texts of some."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note an element, and that it is open."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note an element that has no content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Make sure that what was opened last is closed."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note text, for every element that it is in."""
        for tag in set(self.open):
            self.texts.setdefault(tag, []).append(data)

    def text(self, tag="main"):
        """Return the text inside elements of a name."""
        return re.sub(r"\s+", " ", " ".join(self.texts.get(tag, [])))

    def all(self, tag):
        """Return the attributes of each element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def _page(directory, counts=None, clock=NOW):
    files = read(directory)
    return Document(page(build(files, counts, clock), files))


def _sweep(directory):
    good = Minion(directory, "c69d4bd8aaaa", ago=6000, job={"id": "12"})
    bad = Minion(directory, "a9ec0806bbbb", ago=5000, host="paravance-7.rennes")
    for n in range(60):
        good.ends(f"g{n}", ago=5900 - 90 * n, took=50.0 + n, param=f'{{"alpha": 0.{n % 2 + 1}0, "seed": {n}}}')
    for n in range(10):
        stderr = f"reading\nsimulate: cannot open /data/m_{n}.bin\n"
        param = f'{{"alpha": 0.10, "seed": {100 + n}}}'
        bad.ends(f"b{n}", "failed", ago=4500 + n, exit=3, dead=True, reason="exit 3", stderr=stderr, param=param)
    bad.beats(ago=4000)
    good.stops(ago=500).beats(ago=0)
    return books(done=60, dead=10)


def test_a_run_in_full(tmp_path):
    """Every section, in the order in which one asks."""
    shown = _page(tmp_path, _sweep(tmp_path))
    headings = ["Throughput", "Failures", "Durations", "Minions", "Nodes", "Params", "Slowest", "How it was run"]
    assert shown.texts["h2"] == headings
    text = shown.text()
    assert "minion-queue.db finished" in text
    assert "done 60 85.7% dead 10 14.3%" in text
    assert "exit 3: simulate: cannot open /data/m_#.bin" in text
    assert "simulate: cannot open /data/m_9.bin" not in shown.text("strong")
    assert "reading simulate: cannot open /data/m_0.bin" in shown.text("pre")
    assert "seed=59" in text
    assert "./simulate '{seed}'" in text


def test_a_field_says_which_of_its_values_fail(tmp_path):
    """With the digits that were typed; one with too many values is left out."""
    shown = _page(tmp_path, _sweep(tmp_path))
    assert shown.texts["h3"] == ["alpha"]
    assert "0.10 40 25.0% 1m18 0.20 30 0 1m19" in shown.text()


def test_a_minion_that_vanished_is_hatched(tmp_path):
    """From where it was last heard of to the end."""
    shown = _page(tmp_path, _sweep(tmp_path))
    hatched = [rect for rect in shown.all("rect") if rect.get("fill") == "url(#lost)"]
    assert len(hatched) == 1
    assert "paravance-7.rennes: lost, up 16m40, 0 done, 10 failed" in shown.text("title")


def test_a_running_run_says_when_it_ends_and_what_runs(tmp_path):
    """And with what to act on."""
    minion = Minion(tmp_path, ago=400, slots=1)
    for n in range(60):
        minion.ends(f"t{n}", ago=370 - 5 * n, took=5.0)
    minion.starts("s", ago=60, param='{"seed": 7}')
    shown = _page(tmp_path, books(pending=100, leased=1, done=60))
    text = shown.text()
    assert shown.texts["h2"][1] == "In flight"
    assert "ends ~11 minutes 2025-11-21 10:52 UTC" in text
    assert "seed=7 1m00 12.0 1 paravance-1 straggler" in text
    assert "1 straggler, in flight for up to 1m minion-status --in-flight" in text


def test_what_waits_in_the_hands_of_minions_does_not_crowd_out_what_runs(tmp_path):
    """It is counted below."""
    Minion(tmp_path).ends("a").starts("b", ago=5, param='"runs"')
    leased = [Entry("b", '"runs"', "leased", 1, 1), *(Entry(f"h{n}", f'"held{n}"', "leased", 1, 1) for n in range(70))]
    text = _page(tmp_path, books(leased=71, done=1)._replace(leased=tuple(leased))).text()
    assert "runs 5.0s" in text
    assert "70 in the hands of minions" in text
    assert "held1" not in text


@pytest.mark.parametrize(
    ("counts", "said"),
    [(None, "running"), (books(pending=3), "waiting"), (books(), "finished"), (books(pending=None), "waiting")],
)
def test_there_is_a_page_for_a_run_that_has_hardly_begun(tmp_path, counts, said):
    """No events, one event, one that took no time; with a queue and without."""
    (tmp_path / "none").mkdir()
    if counts is not None:
        assert said in _page(tmp_path / "none", counts).text()
    Minion(tmp_path / "start", ago=0)
    assert "Minions" in _page(tmp_path / "start", counts).text()
    Minion(tmp_path / "one", ago=0).ends("a", took=0.0)
    assert "Throughput" in _page(tmp_path / "one", counts).text()
    Minion(tmp_path / "failed", ago=0).ends("a", "failed", took=0.0, exit=1)
    assert "Throughput" in _page(tmp_path / "failed", counts).text()


def test_everything_that_is_drawn_is_also_said(tmp_path):
    """Pictures have titles, tables captions and named columns and rows; anchors are unique."""
    shown = _page(tmp_path, _sweep(tmp_path))
    following = [after[0] for (tag, attributes), after in pairwise(shown.elements) if attributes.get("role") == "img"]
    assert set(following) == {"title"}
    assert len(following) == 5
    assert len(shown.all("caption")) == len(shown.all("table"))
    assert all(head["scope"] in ("col", "row") for head in shown.all("th"))
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {section.get("aria-labelledby") for section in shown.all("section")} - {None} <= set(ids)
    assert shown.all("html") == [{"lang": "en"}]


def test_secrets_are_masked(tmp_path):
    """In addresses, in options and variables of the command, in fields of params."""
    start = (
        '{"v":1,"type":"minion_start","t":%f,"minion":"m1","queue":"q1","engine":"redis","where":"redis://u:hunter2@h/0",'
        '"host":"h","pid":1,"command":["./a","--token","hunter2","API_KEY=hunter2","--max_tokens=512"],"slots":1}\n'
    )
    minion = Minion(tmp_path, "m1").write(start % NOW)
    param = '{"db_password": "hunter2", "url": "http://a:hunter2@b/", "in": {"token": "hunter2"}, "of": [{"pwd": "hunter2"}], "n": 1}'
    minion.ends("a", param=param).ends("a2", param=param)
    minion.ends("b", "failed", exit=1, param=param, stderr="GET https://x:hunter2@y/?token=hunter2 failed\n")
    shown = page(build(read(tmp_path), None, NOW), read(tmp_path))
    assert "hunter2" not in shown
    assert "db_password=***" in shown
    assert "--max_tokens=512" in shown


HOSTILE = """<script>alert(1)</script></style></title>"'><img src=x onerror=alert(1)>&lt;javascript:alert(1)\u202e\x1b[31m\0\u2028"""


@given(st.text(min_size=1, max_size=40) | st.just(HOSTILE))
def test_whatever_strangers_write_is_text(tmp_path_factory, text):
    """In every place that holds text: no element and no attribute comes of it."""
    plain = _everywhere(tmp_path_factory.mktemp("plain"), "x")
    shown = _everywhere(tmp_path_factory.mktemp("hostile"), text)
    assert [tag for tag, _ in shown.elements if tag != "em"] == [tag for tag, _ in plain.elements if tag != "em"]
    names = [sorted(attributes) for _, attributes in shown.elements]
    assert {name for some in names for name in some} == {name for _, some in plain.elements for name in some}


def _everywhere(directory, text):
    import json

    word = json.dumps(text)
    minion = Minion(directory, "m1")
    facts = f'"queue":"q1","engine":{word},"where":{word},"host":{word},"pid":1,"job":{{"id":{word}}},"command":[{word}],"version":{word}'
    minion.write(f'{{"v":1,"type":"minion_start","t":{NOW - 9},"minion":"m1",{facts},"slots":1}}\n')
    param = f'{{{word}:{word},"a":1}}'
    minion.ends("a", param=param).ends("c", param='{"a": 2, "b": true}').starts(text, ago=5, param=param)
    minion.ends("b" + text, "failed", exit=1, reason=text, stderr=f"{text}\n{text}", param=param)
    minion.stops(text, ago=1)
    return _page(directory)


def test_it_says_itself_what_may_run(tmp_path):
    """Its one style and its one script, by their hashes; nothing may be fetched, no form be sent."""
    shown = _page(tmp_path, _sweep(tmp_path))
    (policy,) = [meta["content"] for meta in shown.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert (len(shown.all("script")), len(shown.all("style"))) == (1, 1)
    assert not {"src", "href", "style", "onclick"} & {name for _, attributes in shown.elements for name in attributes}


def test_its_script_is_small():
    """At most 2 KB; the page says everything without it."""
    assert len(pages._asset("page.js").encode()) <= 2048


def test_it_stays_small_whatever_the_run(tmp_path):
    """Many nodes, minions, groups of failures with long stderr, and fields with many values: under 1 MB."""
    for m in range(300):
        minion = Minion(tmp_path, f"m{m:03}", host=f"{m}-" + "n" * 60, ago=3000)
        for n in range(10):
            fields = ",".join(f'"{f}{"f" * 50}":"{(m + n) % 50}{"v" * 50}"' for f in range(30))
            failed = {"outcome": "failed", "exit": m + 1, "stderr": f"{m}" + "<" * 4090} if n % 3 == 0 else {}
            minion.ends(f"{m}-{n}", ago=2900 - 290 * n, took=1.0 + n, param=f"{{{fields}}}", **failed)
    files = read(tmp_path)
    assert len(page(build(files, None, NOW), files).encode()) < 1_000_000


def test_it_is_written_whole_and_says_how_much(tmp_path, monkeypatch, capsys):
    """Over what was there; nothing else is left."""
    monkeypatch.chdir(tmp_path)
    Minion("minion-report").ends("a")
    (tmp_path / "run.html").write_text("old")
    assert main(["--html", "run.html"]) == 0
    assert re.fullmatch(r"run\.html: \d+ kB\n", capsys.readouterr().out)
    assert (tmp_path / "run.html").read_text("utf-8").endswith("</html>\n")
    assert sorted(os.listdir(tmp_path)) == ["minion-report", "run.html"]


def test_it_can_go_to_standard_output(tmp_path, monkeypatch, capfdbinary):
    """In UTF-8, and nothing but it."""
    monkeypatch.chdir(tmp_path)
    Minion("minion-report").ends("a", param='{"x": "é"}')
    assert main(["--html", "-"]) == 0
    out = capfdbinary.readouterr().out.decode()
    assert (out[:15], out[-8:]) == ("<!doctype html>", "</html>\n")


def test_where_it_cannot_be_written_it_says_so(tmp_path):
    """A directory that is not there, or is no directory; what was there stays."""
    with pytest.raises(UsageError, match="cannot write .*none/run.html: No such file or directory"):
        report.put("page", str(tmp_path / "none" / "run.html"))
    with pytest.raises(UsageError, match="Is a directory"):
        report.put("page", str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_pipe_is_written_to_and_a_link_followed(tmp_path):
    """Neither is replaced by a file."""
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real" / "run.html", tmp_path / "link.html")
    report.put("page", str(tmp_path / "link.html"))
    assert os.path.islink(tmp_path / "link.html")
    assert (tmp_path / "real" / "run.html").read_text() == "page"
    report.put("page", os.devnull)
    assert not os.path.isfile(os.devnull)
