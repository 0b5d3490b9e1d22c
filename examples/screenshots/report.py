"""Take pictures of the HTML report, by light and in the dark: ``python report.py`` writes them beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from sweep import QUEUE, write

from minionize.model import Counts
from minionize.status.books import Books
from minionize.status.build import build
from minionize.status.html.page import page
from minionize.status.read import EventFiles

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = "1280,1640"
#: What Chromium calls the two.
SCHEMES = {"light": 1, "dark": 0}


def html(directory: str) -> str:
    """Make the report as it was ten seconds after the end of the run: its queue has all tasks done or dead."""
    files = EventFiles(directory)
    files.refresh()
    end = files.newest_heartbeat
    seen = build(files, None, end).counts
    books = Books("spool", QUEUE, "minion-queue.d", Counts(0, 0, 0, seen.done, seen.dead))
    return page(build(files, books, end + 10), files)


def browser() -> str:
    """Find Chromium; leaves where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        sys.exit("there is no Chromium here (apt-get install chromium)")
    return found


def shoot(browser: str, page: str, picture: str, scheme: int, home: str, size: str = SIZE) -> None:
    """Let the browser open a page in a window that nobody sees, and write what it shows."""
    options = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={home}"]
    if os.geteuid() == 0:  # it has no sandbox for root
        options.append("--no-sandbox")
    options += [f"--window-size={size}", f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}"]
    subprocess.run([browser, *options, f"file://{page}"], check=True, stderr=subprocess.DEVNULL)


def main() -> int:
    found = browser()
    with tempfile.TemporaryDirectory() as place:
        write(os.path.join(place, "minion-report"))
        path = os.path.join(place, "report.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(html(os.path.join(place, "minion-report")))
        for name, scheme in SCHEMES.items():
            picture = os.path.join(HERE, f"report-{name}.png")
            shoot(found, path, picture, scheme, os.path.join(place, "chromium"))
            print(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
