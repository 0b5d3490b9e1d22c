"""Python functions, as their users write and run them."""

from __future__ import annotations

import json
import sys

import pytest

PYTHON = sys.executable


def results(here):
    """Read what calls returned, by their param, as JSON text."""
    return {json.dumps(event["param"]): event["result"] for event in here.events()}


# ---------------------------------------------------------------------- from the command line


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("model.py", "model.py:score"),
        ("model.py", "model:score"),
        ("./pkg/model.py", "pkg/model.py:score"),
        ("pkg/model.py", "pkg.model:score"),
    ],
)
def test_a_function_of_a_file_or_a_module(here, file, name):
    """An object param is passed as keywords; what it returns is the result."""
    (here.path / "pkg").mkdir()
    here.write(file, "def score(alpha, seed=7):\n    return {'loss': alpha * seed}\n")
    here.put("alpha=2,3")
    done = here.minionize("--python", name)
    assert done.code == 0, done.err
    assert results(here) == {'{"alpha": 2}': {"loss": 14}, '{"alpha": 3}': {"loss": 21}}
    (start,) = here.events("minion_start")
    assert start["command"] == [name]


def test_the_variable_says_it_too(here):
    """As every flag has one; a command that is typed is stronger."""
    here.write("f.py", "def f(n): print('called', n)\n")
    here.put("1")
    assert here.minionize(MINION_PYTHON="f.py:f").out == "called 1\n"
    here.put("2")
    assert here.minionize("echo", MINION_PYTHON="f.py:f").out == "2\n"


def test_a_param_is_passed_as_what_it_is(here):
    """Keywords, arguments in order, or the one argument."""
    here.write("f.py", "def f(*args, **fields): return [list(args), fields]\n")
    here.put_lines({"a": 1}, [1, [2]], "text", 5, None, True, [], {})
    done = here.minionize("--python", "f.py:f")
    assert done.code == 0, done.err
    assert results(here) == {
        '{"a": 1}': [[], {"a": 1}],
        "[1, [2]]": [[1, [2]], {}],
        '"text"': [["text"], {}],
        "5": [[5], {}],
        "null": [[None], {}],
        "true": [[True], {}],
        "[]": [[], {}],
        "{}": [[], {}],
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f.py:Point", "<5>"),
        ("f.py:point.move", 6),
        ("f.py:Point.made", "<10>"),
        ("f.py:partial", 25),
        ("f.py:noisy", 5),
        ("f.py:callable_one", -5),
        ("math:sqrt", 5**0.5),
        ("builtins:hex", "0x5"),
    ],
)
def test_whatever_can_be_called(here, name, expected):
    """Classes, methods, partial and decorated functions, objects, built-in ones."""
    here.write(
        "f.py",
        """
import functools

class Point:
    def __init__(self, x):
        self.x = x
    def __repr__(self):
        return f"<{self.x}>"
    def move(self, by):
        return self.x + by
    @classmethod
    def made(cls, x):
        return cls(2 * x)
    def __call__(self, x):
        return -x

point = callable_one = Point(1)
partial = functools.partial(pow, exp=2)

def loud(func):
    @functools.wraps(func)
    def wrapper(*args):
        print("calling")
        return func(*args)
    return wrapper

@loud
def noisy(x):
    return x
""",
    )
    here.put("5")
    done = here.minionize("--python", name)
    assert done.code == 0, done.err
    assert results(here) == {"5": expected}


def test_what_a_file_imports_from_beside_it(here):
    """As if it were run."""
    (here.path / "pkg").mkdir()
    here.write("pkg/helper.py", "def double(n): return 2 * n\n")
    here.write("pkg/f.py", "from helper import double\ndef f(n): return double(n)\n")
    here.put("4")
    done = here.minionize("--python", "pkg/f.py:f")
    assert done.code == 0, done.err
    assert results(here) == {"4": 8}


#: What is asked for, what is said of it.
WRONG = {
    "nowhere.py:f": "there is no file nowhere.py",
    "nowhere:f": "there is no module nowhere",
    "nowhere.deeper:f": "there is no module nowhere",
    "f.py:scroe": "Did you mean score?",
    "f.py:CONSTANT": "is no function",
    "f.py:later": "asyncio.run",
    "f.py:several": "Let it return a list",
    "f.py:partial_later": "asyncio.run",
    "f.py:Program": "minionizer(Program()).run()",
    "broken.py:f": "broken.py, line 2",
    "missing.py:f": "no_such_package",
    "leaving.py:f": '__name__ == "__main__"',
    "invalid.py:f": "SyntaxError",
    "turtle.py:f": "hides Python's own module turtle",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_work_says_so(here, name):
    """Before anything is called, with what to do; nothing is charged."""
    here.write(
        "f.py",
        """
import functools
from minionize import ProcessCallback
CONSTANT = 3
def score(n): pass
async def later(n): pass
def several(n): yield n
partial_later = functools.partial(later)
class Program(ProcessCallback):
    def to_cmd(self, param):
        return ["true"]
""",
    )
    here.write("broken.py", "import os\nos.nothing\n")
    here.write("missing.py", "import no_such_package\n")
    here.write("leaving.py", "import sys\nsys.exit(3)\n")
    here.write("invalid.py", "def f(:\n")
    here.write("turtle.py", "def f(n): pass\n")
    here.put("1")
    done = here.minionize("--python", name)
    assert (done.code, WRONG[name] in done.err) == (2, True), done.err
    assert "Traceback" not in done.err
    assert here.books() == {"pending": 1}


# ---------------------------------------------------------------------- programs


def program(here, text, **options):
    """Run a program in which minions are made."""
    return here.run(PYTHON, here.write("program.py", text), **options)


def test_a_decorated_function_runs_itself(here):
    """And can still be called."""
    here.put("alpha=1..3")
    done = program(
        here,
        """
from minionize import minionize

@minionize
def score(alpha, seed=1):
    "Score it."
    return alpha + seed

assert score(1, seed=2) == 3
assert score.__name__ == "score" and score.__doc__ == "Score it."
if __name__ == "__main__":
    raise SystemExit(score.run())
""",
    )
    assert done.code == 0, done.err
    assert sorted(results(here).values()) == [2, 3, 4]
    (start,) = here.events("minion_start")
    assert start["command"] == ["__main__:score"]


def test_a_decorated_function_has_its_hooks_by_both_ways(here):
    """Run by itself, or by the command line."""
    here.write(
        "f.py",
        """
from minionize import minionize

model = None
def load():
    global model
    model = 10
    print("loaded")

@minionize(setup=load, teardown=lambda: print("gone"))
def f(n):
    return model + n

if __name__ == "__main__":
    raise SystemExit(f.run())
""",
    )
    here.put("1..3")
    done = here.minionize("--python", "f.py:f")
    assert (done.code, done.out) == (0, "loaded\ngone\n"), done.err
    here.put("4")
    done = here.run(PYTHON, "f.py")
    assert (done.code, done.out) == (0, "loaded\ngone\n"), done.err
    assert sorted(results(here).values()) == [11, 12, 13, 14]


def test_closures_lambdas_and_what_main_defines(here):
    """Nothing needs to be imported anew, or pickled."""
    here.put("1..3")
    done = program(
        here,
        """
from minionize import FuncCallback, minionizer

def make(lock, table):
    return lambda n: table[n] if lock else None

import threading
code = minionizer(FuncCallback(make(threading.Lock(), {1: "one", 2: "two", 3: open}))).run()
assert code == 0
""",
    )
    assert done.code == 0, done.err
    assert results(here) == {"1": "one", "2": "two", "3": "<built-in function open>"}


def test_a_func_callback_hands_over_the_param_as_it_is(here):
    """As the original did; a subclass says it all in one place."""
    here.put_lines({"a": 1}, [1, 2])
    done = program(
        here,
        """
from minionize import FuncCallback, current_task, minionizer

class Score(FuncCallback):
    def setup(self):
        self.factor = 2
        print("set up", current_task())
    def call(self, param):
        task = current_task()
        return [param, self.factor, len(task.id), task.attempt, task.delivery]
    def teardown(self):
        print("torn down")

raise SystemExit(minionizer(Score()).run())
""",
    )
    assert (done.code, done.out) == (0, "set up None\ntorn down\n"), done.err
    assert results(here) == {'{"a": 1}': [{"a": 1}, 2, 16, 1, 1], "[1, 2]": [[1, 2], 2, 16, 1, 1]}


def test_a_program_may_run_one_minion_after_the_other(here):
    """Each has processes of its own; the program goes on as before."""
    here.put("1..4")
    done = program(
        here,
        """
import os, signal, threading
from minionize import FuncCallback, minionizer

before = signal.getsignal(signal.SIGTERM), set(os.listdir("/proc/self/fd")), threading.active_count(), dict(os.environ)
for _ in range(3):
    assert minionizer(FuncCallback(lambda n: print("call", n, flush=True))).run() == 0
after = signal.getsignal(signal.SIGTERM), set(os.listdir("/proc/self/fd")), threading.active_count(), dict(os.environ)
assert before[0] == after[0] and before[2:] == after[2:], (before, after)
try:
    os.waitpid(-1, os.WNOHANG)
    raise AssertionError("a child is left")
except ChildProcessError:
    pass
print(len(after[1]) - len(before[1]), "more files")
""",
    )
    assert done.code == 0, done.err
    assert sorted(done.out.splitlines())[1:] == ["call 1", "call 2", "call 3", "call 4"]
    assert done.out.splitlines()[-1] == "0 more files"


def test_a_script_that_runs_its_function_when_it_is_imported(here):
    """It is told so, and the minion that was asked for runs all the same, with its own settings."""
    here.write("f.py", "from minionize import minionize\n@minionize\ndef f(n): return n\nf.run()\n")
    here.put("1..3")
    done = here.minionize("--python", "f.py:f", "--max-tasks", "2")
    assert done.code == 99, done.err
    assert '__name__ == "__main__"' in done.err
    assert len(here.events("minion_start")) == 1
    assert here.books() == {"pending": 1, "done": 2}


def test_a_function_without_what_it_needs(here):
    """No function, no call method, or one that is none."""
    here.put("1")
    for make, said in (
        ("FuncCallback()", "was given no function"),
        ("FuncCallback(3)", "is no function"),
        ("minionize(3)", "is no function"),
    ):
        done = program(here, f"from minionize import FuncCallback, minionize\n{make}\n")
        assert said in done.err
    assert here.books() == {"pending": 1}


# ---------------------------------------------------------------------- looking at it


def test_dry_run_shows_the_calls(here):
    """Without making any."""
    here.write("f.py", "def f(alpha, seed=1): print('called')\n")
    here.put("alpha=1..2")
    done = here.minionize("--python", "f.py:f", "--dry-run")
    assert done.code == 0, done.err
    assert "f(alpha=1)" in done.out
    assert "called" not in done.out
    assert here.books() == {"pending": 2}


def test_doctor_names_the_function(here):
    """Where it is, and what it takes."""
    here.write("f.py", "\n\ndef f(alpha, seed=1): pass\n")
    here.put("1")
    done = here.minionize("--python", "f.py:f", "--doctor")
    assert done.code == 0, done.err
    assert "f(alpha, seed=1)" in done.out
    assert "line 3" in done.out


def test_a_standard_input_of_params_and_a_pipe(here):
    """As with xargs."""
    here.write("f.py", "def f(word): print(word.upper())\n")
    done = here.run("minionize", "--engine", "file", "--python", "f.py:f", input=b"red\nblue\n")
    assert done.code == 0, done.err
    assert sorted(done.out.split()) == ["BLUE", "RED"]
