"""What the import of execo starts is not left running, says nothing, and disturbs no signals."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from execo_sweeps import ParamSweeper, sweeps_fixture  # noqa: F401 - a fixture
from harness import wait_until

MISSING = """
import sys
for name in ("execo", "execo_engine"):
    sys.modules[name] = None
from minionize.cli.minionize import command
command()
"""


def run(code, *arguments, options=(), **variables):
    """Run Python code in a process of its own, warnings shown; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **variables},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_importing_the_engine_imports_no_execo():
    """Only opening a queue does."""
    assert run("import sys, minionize.engines.execo; print('execo' in sys.modules)") == "False\n"


@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-X", "dev")])
def test_nothing_of_the_import_is_left(sweeps, options):
    """Neither the process that it forks, nor its thread, nor the descriptor that signals are written to, nor a warning."""
    sweeps.make(range(3))
    code = """
import os, signal, sys, threading
from minionize import place
from minionize.engines.execo import ExecoEngine
engine = ExecoEngine(sys.argv[1], place.identity())
with open(f"/proc/self/task/{os.getpid()}/children") as children:
    print([children.read(), threading.active_count(), signal.set_wakeup_fd(-1)])
engine.close()
"""
    assert run(code, sweeps.path, options=options) == "['', 1, -1]\n"


def test_the_wakeup_of_signals_is_that_of_before(sweeps):
    """A program that listens to signals by a descriptor goes on doing so."""
    sweeps.make(range(3))
    code = """
import os, signal, sys
reader, writer = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(writer)
from minionize.engines.execo import client
client.load()
print(signal.set_wakeup_fd(-1) == writer)
"""
    assert run(code) == "True\n"


def test_an_execo_that_was_there_before_us_is_its_users():
    """Its process and its thread go on: the user's own program may start remote processes."""
    code = """
import os, threading, warnings
warnings.simplefilter("ignore")
import execo
from minionize.engines.execo import client
client.load()
with open(f"/proc/self/task/{os.getpid()}/children") as children:
    print(len(children.read().split()), threading.active_count())
"""
    assert run(code) == "1 2\n"


def test_an_import_outside_of_the_main_thread_says_what_to_do():
    """Execo sets signals, which only the main thread may."""
    code = """
import threading
from minionize.engines.execo import client
from minionize.errors import EngineError
def load():
    try:
        client.load()
    except EngineError as error:
        print(error)
thread = threading.Thread(target=load)
thread.start()
thread.join()
"""
    assert "import execo_engine there first" in run(code)


def test_a_missing_execo_says_what_to_install(camp):
    """Before anything is looked at, with exit code 2."""
    ParamSweeper(str(camp.path / "sweeps"), sweeps=range(3), save_sweeps=True)
    process = camp.start(sys.executable, "-c", MISSING, "echo", variables={"MINION_ENGINE": "execo"})
    assert process.code() == 2
    assert "pip install 'minionize[execo]'" in process.err
    assert "Traceback" not in process.err


def test_nothing_outlives_a_minion_that_is_killed(camp):
    """Neither its child nor a helper of execo; another minion takes over what it held at once."""
    gate = camp.gate()
    ParamSweeper(str(camp.path / "sweeps"), sweeps=range(3), save_sweeps=True)
    script = camp.script("run", f"echo $1 $$ >> {camp.ran}; [ $1 != 0 ] || [ -e second ] || read _ < gate")
    victim = camp.minion(script, variables={"MINION_ENGINE": "execo"})
    wait_until(lambda: len(camp.runs()) == 1, lambda: f"the first param runs; it said {victim.err}")
    victim.kill()
    camp.is_empty()
    (camp.path / "second").write_text("")
    heir = camp.minion(script, variables={"MINION_ENGINE": "execo"})
    assert heir.code() == 0, heir.err
    assert [line.split()[0] for line in camp.runs()] == ["0", "0", "1", "2"]
    assert ParamSweeper(str(camp.path / "sweeps")).get_done() == {0, 1, 2}
    gate.open()
