"""Callbacks of functions: what can be one, what fits it, and how functions are found by name."""

from __future__ import annotations

import functools
import sys

import pytest

from minionize import Dead, FuncCallback, Interrupted, Retry
from minionize import minionize as decorate
from minionize.callbacks.func import Spread, load, name_of
from minionize.callbacks.loading import find
from minionize.errors import BadParam, Misfit, UsageError
from minionize.model import NewTask, Task
from minionize.policy import Ending
from minionize.slots.calls import raised
from minionize.slots.calls.channel import DEAD, DONE, EXITED, FAILED, INTERRUPTED, RETRY, UNFIT, UNREADABLE

TASK = Task("1", "1", 1, 1)


def plus(alpha, beta=1):
    """Add."""
    return alpha + beta


def tried(callee, param):
    """Call it; say what is found to be wrong with the param, if it raises a TypeError."""
    try:
        callee.call(param)
    except TypeError as error:
        return callee.misfit(param, error)
    return None


@pytest.mark.parametrize(
    ("param", "result"), [({"alpha": 1}, 2), ({"alpha": 1, "beta": 3}, 4), ([1, 2], 3), (5, 6), ([5], 6)]
)
def test_a_spread_param_is_what_the_function_takes(param, result):
    """Fields by name, items in order, anything else alone."""
    assert Spread(plus).call(param) == result


@pytest.mark.parametrize("param", [{"alfa": 1}, {}, [], [1, 2, 3], {"alpha": 1, "gamma": 2}])
def test_what_does_not_fit_is_named_with_the_signature(param):
    """And with what the param has instead."""
    said = tried(Spread(plus), param)
    assert said.startswith("plus(alpha, beta=1) cannot be called with this param: ")
    assert "the param has" in said or "the param is no object" in said


@pytest.mark.parametrize("param", [{"alpha": None}, ["1", 2], "text"])
def test_a_type_error_of_its_own_fits(param):
    """It was called, and failed."""
    assert tried(Spread(plus), param) == ""


def test_a_decorator_that_adds_arguments_does_not_confuse():
    """The inner signature is not what the param has to fit."""

    def seeded(func):
        @functools.wraps(func)
        def wrapper(**fields):
            return func(seed=1, **fields)

        return wrapper

    @seeded
    def simulate(alpha, seed):
        return alpha + seed

    assert Spread(simulate).call({"alpha": 1}) == 2
    assert tried(Spread(simulate), {"alpha": "x"}) == ""
    assert "missing a required argument: 'alpha'" in tried(Spread(simulate), {})


def test_what_has_no_signature_fits():
    """Nobody can tell."""
    assert tried(Spread(max), {"key": 1}) == ""


async def _later():
    """Do nothing yet."""


async def _later_ones():
    """Give nothing yet."""
    yield


def _ones():
    yield 1


@pytest.mark.parametrize("func", [_later, _later_ones, _ones, 3, "print", None])
def test_what_cannot_be_called_to_an_effect_is_refused(func):
    """At once, where it is written down."""
    with pytest.raises(UsageError):
        FuncCallback(func)


def test_a_decorated_function_is_still_itself():
    """Its name, its words and its call, also with a field of any name."""
    minion = decorate(plus)
    assert (minion.__name__, minion.__doc__, minion(1, beta=2)) == ("plus", "Add.", 3)
    with_hooks = decorate(setup=print, teardown=print, isolate=False)(lambda self: self)
    assert with_hooks(self=4) == 4
    assert with_hooks.launches == "inline"


def test_names_are_those_that_find_them():
    """Of functions, methods, classes and objects."""
    assert name_of(plus) == f"{__name__}:plus"
    assert name_of(functools.partial(plus)) == "functools:partial"
    assert name_of(dict.fromkeys).endswith(":dict.fromkeys")


def test_a_call_is_shown_as_it_would_be_made():
    """For a dry run; one that does not fit says so."""
    assert Spread(plus).show(NewTask("1", '{"alpha":"x"}')) == "plus(alpha='x')"
    assert FuncCallback(plus).show(NewTask("1", '{"alpha":"x"}')) == "plus({'alpha': 'x'})"
    for param in ('{"alfa":1}', "9" * 5000):
        with pytest.raises(BadParam):
            Spread(plus).show(NewTask("1", param))


def test_what_is_examined_can_be_found():
    """The file and the line; a built-in one has neither."""
    assert Spread(plus).examine().startswith("plus(alpha, beta=1) of ")
    assert ", line " in Spread(plus).examine()
    assert Spread(max).examine() == "max(...) of builtins"


# ---------------------------------------------------------------------- finding them


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Give a directory, which is the current one; what is imported from it is forgotten."""
    before, path = set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_functions_are_found_in_files_and_modules(files):
    """Also in packages, and inside classes."""
    (files / "found_here.py").write_text("class A:\n    @staticmethod\n    def f(): return 'here'\n")
    (files / "found_pkg").mkdir()
    (files / "found_pkg" / "inner.py").write_text("import inner_neighbour\ndef f(): return 'inside'\n")
    (files / "found_pkg" / "inner_neighbour.py").write_text("")
    assert find("found_here:A.f", "-")() == "here"
    assert find("./found_here.py:A.f", "-")() == "here"
    assert find("found_pkg/inner.py:f", "-")() == "inside"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no_such_module:f", "there is no module no_such_module"),
        ("json.no_such:f", "there is no module json.no_such"),
        ("no/such.py:f", "there is no file no/such.py"),
        ("json:dupms", "Did you mean dumps?"),
        ("json:dumps.inner", "has no inner"),
        ("bad_import.py:f", r"bad_import.py, line 1\)\n  ModuleNotFoundError"),
        ("bad_syntax.py:f", "SyntaxError"),
        ("bad_exit.py:f", "__main__"),
        ("bad_run.py:f", "has no f"),
        ("callback_of_another_kind.py:C", r"minionizer\(C\(\)\).run\(\)"),
        ("needs_more.py:C", "without arguments"),
    ],
)
def test_what_is_not_found_is_said_with_its_cause(files, place, said):
    """A UsageError that names the setting, and the line at fault."""
    (files / "bad_import.py").write_text("import no_such_package_at_all\n")
    (files / "bad_syntax.py").write_text("def f(:\n")
    (files / "bad_exit.py").write_text("raise SystemExit(1)\n")
    (files / "bad_run.py").write_text("")
    (files / "callback_of_another_kind.py").write_text(
        "from minionize import ProcessCallback\nclass C(ProcessCallback): pass\n"
    )
    (files / "needs_more.py").write_text(
        "from minionize import FuncCallback\nclass C(FuncCallback):\n    def __init__(self, more): pass\n    def call(self, p): pass\n"
    )
    with pytest.raises(UsageError, match=said) as caught:
        load(place, "MINION_PYTHON")
    assert str(caught.value).startswith("MINION_PYTHON")


# ---------------------------------------------------------------------- what is raised


class Mute(Exception):
    """Says nothing, but how."""

    def __str__(self):
        raise RuntimeError


CLASSES = {
    Dead("no"): (DEAD, Dead, "no"),
    Dead(): (DEAD, Dead, "Dead"),
    Dead(Mute()): (DEAD, Dead, "Dead"),
    Interrupted("later"): (INTERRUPTED, Interrupted, "later"),
    Misfit("unfit"): (UNFIT, Misfit, "unfit"),
    BadParam("bad"): (UNREADABLE, BadParam, "bad"),
}


@pytest.mark.parametrize("error", CLASSES)
def test_what_has_a_meaning_keeps_it_on_its_way_to_the_minion(error):
    """The class, and what it says."""
    kind, body = raised.write(error)
    ended = raised.read(0, TASK, Ending(0), kind, body)
    assert (kind, type(ended.error), str(ended.error)) == CLASSES[error]


@pytest.mark.parametrize("delay", [None, 0, 2.5])
def test_a_retry_keeps_its_delay(delay):
    """None is the usual backoff."""
    kind, body = raised.write(Retry("again", delay=delay))
    ended = raised.read(0, TASK, Ending(0), kind, body)
    assert (kind, str(ended.error), ended.error.delay) == (RETRY, "again", delay)


@pytest.mark.parametrize(
    ("code", "exit"),
    [(None, 0), (0, 0), (False, 0), (256, 0), (1, 1), (True, 1), (-1, 255), ("words", 1), (0.0, 1), (Mute(), 1)],
)
def test_an_exit_is_that_of_a_program(code, exit, capsys):
    """By its code; words are printed and mean 1."""
    kind, body = raised.write(SystemExit(code))
    assert kind == (EXITED if exit else DONE)
    assert raised.read(0, TASK, Ending(0), kind, body).ending.exit == exit
    assert capsys.readouterr().err == ("words\n" if code == "words" else "0.0\n" if code == 0.0 and exit else "")


def test_anything_else_is_printed_as_python_does(capsys):
    """And its line is the reason."""
    error = ValueError("wrong")
    error.__cause__ = KeyError("x")
    kind, body = raised.write(error)
    ended = raised.read(0, TASK, Ending(0), kind, body)
    assert (kind, ended.error, ended.ending.error) == (FAILED, None, "ValueError: wrong")
    said = capsys.readouterr().err
    assert "direct cause" in said
    assert said.endswith("ValueError: wrong\n")


@pytest.mark.parametrize(
    "error", [Mute(), RecursionError(), KeyboardInterrupt(), BaseExceptionGroup("two", [KeyError(1)])]
)
def test_nothing_that_is_raised_cannot_be_written(error, monkeypatch):
    """Not even where standard error is gone."""
    monkeypatch.setattr(sys, "stderr", None)
    kind, body = raised.write(error)
    assert kind == FAILED
    assert raised.read(0, TASK, Ending(0), kind, body).ending.error.startswith(type(error).__name__)


def test_what_was_stopped_is_judged_by_that(monkeypatch):
    """Whatever it raised then."""
    kind, body = raised.write(Dead("no"))
    ended = raised.read(0, TASK, Ending(0, stopped="leaving"), kind, body)
    assert (ended.error, ended.ending.stopped) == (None, "leaving")
