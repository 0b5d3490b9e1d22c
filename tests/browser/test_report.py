"""The HTML report in a real browser: nothing of strangers runs, nothing is fetched, all can be read, everywhere."""

from __future__ import annotations

import json
import os

import chromium
import pytest
from servers.need import lacking

from minionize import events
from minionize.model import Counts, Task
from minionize.status.books import Books
from minionize.status.build import build
from minionize.status.html.page import page
from minionize.status.read import EventFiles

NOW = 1763721720.0
#: What strangers write, in the hope that somebody opens it. Each would set ``window.hit``, or fetch something.
ATTACKS = (
    "<script>window.hit=1</script>",
    "</script><script>window.hit=1</script>",
    "</style><script>window.hit=1</script>",
    "</title><script>window.hit=1</script>",
    "</pre></td></table><img src=x onerror=window.hit=1>",
    "\"><img src='https://evil.example/x.png' onerror=window.hit=1>",
    "' onmouseover='window.hit=1' autofocus onfocus='window.hit=1",
    '" onload="window.hit=1',
    "<svg onload=window.hit=1>",
    "<iframe srcdoc='<script>parent.hit=1</script>'>",
    "javascript:window.hit=1",
    "<a href=javascript:window.hit=1>x</a>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "url(https://evil.example/x.png)",
    "-->]]><!--",
    "&lt;script&gt;&#60;script&#62;",
    "\x1b[31m\x1b]0;title\x07\0\x08\u202eevil\u2066\ud800\u2028",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Start one browser for all."""
    if not chromium.path():
        lacking("there is no Chromium (apt-get install chromium)")
    with chromium.started(tmp_path_factory.mktemp("chromium")) as started:
        yield started


def _minion(
    directory, uid, lines, *, host="node-1", where="minion-queue.db", command=("./a", "{x}"), beat=NOW, **fields
):
    facts = {"engine": "sqlite", "version": "1.0.0", "job": {}, **fields}
    start = events.minion_start(
        NOW - 900, uid, queue="q", where=where, host=host, pid=1, command=list(command), slots=1, **facts
    )
    path = os.path.join(directory, f"{abs(hash(uid))}.jsonl")
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.writelines([start, *lines])
    os.utime(path, (beat, beat))


def _end(uid, id, param, outcome="done", *, ago=1.0, took=1.0, **fields):
    t = NOW - ago
    return events.task_end(
        t, uid, 0, Task(id, json.dumps(param), 1, 1), start=t - took, outcome=outcome, took=took, **fields
    )


def _write(directory, file, counts=None):
    files = EventFiles(str(directory))
    files.refresh()
    books = Books("sqlite", "q", "minion-queue.db", counts) if counts else None
    with open(file, "w", encoding="utf-8") as out:
        out.write(page(build(files, books, NOW), files))
    return file


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Make the report of a run in which every text is an attack."""
    directory = tmp_path_factory.mktemp("hostile")
    for n, text in enumerate(ATTACKS):
        uid = text + str(n)
        safe = json.dumps(uid)[1:-1]  # events.task_end takes the name of a minion for its own
        param = {text: text, "x": text, "list": [text], "inner": {text: text}}
        lines = [
            _end(safe, f"a{n}", param, result=json.dumps(text)),
            _end(safe, text, param, "failed", exit=n + 1, reason=text, stderr=f"{text}\n{text}", dead=True),
            _end(safe, f"c{n}", text, "timeout", reason=text),
            _end(safe, f"d{n}", text),
            events.task_start(NOW - 100, safe, 0, Task(f"r{n}", json.dumps(param), 1, 1)),
        ]
        beat = NOW - 500 if n % 2 else NOW
        _minion(
            directory,
            uid,
            lines,
            host=text,
            where=text,
            engine=text,
            version=text,
            command=[text],
            job={"id": text},
            beat=beat,
        )
    return _write(directory, directory / "report.html")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Make the report of an ordinary run."""
    directory = tmp_path_factory.mktemp("report")
    for m in range(6):
        uid = f"{m}c69d4bd8aaa"
        lines = []
        for n in range(40):
            param = {"alpha": (0.1, 0.5)[n % 2], "name": "a-rather-long-name-" * 3, "seed": 40 * m + n}
            fails = (
                {"outcome": "failed", "exit": 3, "stderr": f"cannot open {n}\n", "dead": True}
                if n % (9 - m) == 0
                else {}
            )
            lines.append(_end(uid, f"{m}-{n}", param, ago=890 - 20 * n, took=1.0 + n % 7, **fails))
        _minion(directory, uid, lines, host=f"paravance-{m}.rennes.grid5000.fr", beat=NOW - 600 * (m == 5))
    return _write(directory, directory / "report.html", Counts(10, 1, 2, 200, 40))


def test_nothing_that_strangers_wrote_runs(browser, hostile):
    """No script but ours, no element that they named, no address: every attack is there as text."""
    browser.open(hostile)
    assert browser.ask("window.hit") is None
    assert browser.told("Runtime.exceptionThrown") == []
    assert browser.ask("document.scripts.length") == 1
    strange = "img,iframe,a,link,base,object,embed,form,input,meta[http-equiv=refresh],[src],[href],[style],[srcdoc]"
    assert browser.ask(f"document.querySelectorAll({json.dumps(strange)}).length") == 0
    handlers = (
        "[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on')))"
    )
    assert browser.ask(f"{handlers}.length") == 0
    for attack in ATTACKS[:-1]:
        assert browser.ask(f"document.body.textContent.includes({json.dumps(attack)})"), attack


def test_nothing_hides(browser, hostile):
    """No control character and no mark that turns the direction of text gets into the page."""
    browser.open(hostile)
    hidden = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/"
    assert browser.ask(f"{hidden}.test(document.documentElement.outerHTML)") is False
    assert browser.ask(r"document.body.textContent.includes('\\u202eevil')")


def test_nothing_is_fetched(browser, hostile):
    """The file itself is the only thing that is asked for."""
    browser.open(hostile)
    assert browser.requests() == [f"file://{hostile}"]


def test_even_what_got_in_could_not_run(browser, report):
    """The policy of the page itself forbids scripts, styles, pictures and connections that it did not come with."""
    browser.open(report)
    browser.ask("""
        window.refused = [];
        document.addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
        const script = document.createElement("script"); script.text = "window.hit = 1"; document.body.append(script);
        const style = document.createElement("style"); style.textContent = "p { color: red }"; document.body.append(style);
        document.body.setAttribute("onclick", "window.hit = 1"); document.body.click();
        const image = document.createElement("img"); image.src = "https://evil.example/x.png"; document.body.append(image);
        fetch("https://evil.example/").catch(() => 0).then(() => new Promise((done) => setTimeout(done, 50)));
    """)
    assert browser.ask("window.hit") is None
    refused = set(browser.ask("refused"))
    assert refused >= {"script-src-elem", "script-src-attr", "style-src-elem", "img-src", "connect-src"}


def test_a_click_on_a_head_sorts_its_table(browser, report):
    """Largest first, then smallest first; by the keyboard too, and said to those who cannot see it."""
    browser.open(report)
    table = "[...document.querySelectorAll('table')].find((t) => t.caption.textContent === 'Nodes')"
    failed = f"[...{table}.tBodies[0].rows].map((row) => Number(row.cells[3].textContent))"
    button = f"{table}.tHead.rows[0].cells[3].querySelector('button')"
    sort = f"{table}.tHead.rows[0].cells[3].getAttribute('aria-sort')"
    before = browser.ask(failed)
    browser.ask(f"{button}.click()")
    assert browser.ask(failed) == sorted(before, reverse=True)
    assert browser.ask(sort) == "descending"
    browser.ask(f"{button}.focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
        )
    assert browser.ask(failed) == sorted(before)
    assert browser.ask(sort) == "ascending"


def test_it_can_be_read_without_its_script(browser, report):
    """All of it is there, and no button that does nothing."""
    browser.open(report, scripts=False)
    shown = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
    html = browser.call("DOM.getOuterHTML", nodeId=shown)["outerHTML"]
    assert "<button" not in html.partition("<script")[0]
    assert all(text in html for text in ("cannot open", "paravance-3.rennes", "Params", "How it was run"))


@pytest.mark.parametrize("width", [1280, 400, 320])
def test_it_fits_the_window(browser, report, hostile, width):
    """What is too wide scrolls for itself, never the page; whatever strangers wrote."""
    for file in (report, hostile):
        browser.open(file, width=width)
        browser.ask("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert browser.ask("document.scrollingElement.scrollWidth") <= width


CONTRAST = """(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => parts(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if ((parts(color)[3] ?? 1) > 0) return color;
    }
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || /^(title|desc|script|caption)$/i.test(e.tagName)) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(e.closest("svg") ? style.fill : style.color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([walk.currentNode.data, ratio]);
  }
  return poor;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_enough_contrast(browser, report, dark):
    """At least 4.5 to 1, by light and in the dark (WCAG 2.2, level AA)."""
    browser.open(report, dark=dark)
    assert browser.ask(CONTRAST) == []


def test_the_dark_is_dark(browser, report):
    """It follows what the system prefers."""
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(report)
    light = browser.ask(paper)
    browser.open(report, dark=True)
    assert browser.ask(paper) != light


def test_on_paper_all_is_unfolded(browser, report):
    """Nothing can be clicked there; and it prints."""
    browser.open(report)
    assert browser.ask("document.querySelectorAll('details:not([open])').length") > 0
    assert browser.call("Page.printToPDF", printBackground=True)["data"].startswith("JVBERi0")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask("document.querySelectorAll('details:not([open])').length") == 0
