"""What functions raise, return and are given: each has one meaning, and none of it ends more than the task."""

from __future__ import annotations

import hashlib
import json

import pytest
from functions import call, ends

from minionize.model import Counts

ONCE = {"MINION_MAX_ATTEMPTS": "1"}

#: What is raised, and the reason on record.
RAISES = {
    "KeyError('x')": "KeyError: 'x'",
    "ValueError()": "ValueError",
    "Mute()": "Mute",
    "RecursionError": "RecursionError",
    "StopIteration(1)": "StopIteration: 1",
    "GeneratorExit()": "GeneratorExit",
    "KeyboardInterrupt()": "KeyboardInterrupt",
    "MemoryError()": "MemoryError",
    "Retry('mine, not yours')": "Retry: mine, not yours",
    "Stopped(3)": "exit 3",
    "BaseException('b')": "BaseException: b",
    "ExceptionGroup('two', [KeyError(1), KeyError(2)])": "ExceptionGroup: two (2 sub-exceptions)",
    "ValueError('lone \\udc80 surrogate')": "ValueError: lone \udc80 surrogate",
    "minionize.Dead('it makes no sense')": "it makes no sense",
    "minionize.Dead()": "Dead",
    "minionize.Dead(Mute())": "Dead",
    "SystemExit(7)": "exit 7",
    "SystemExit('in words')": "exit 1",
    "SystemExit(Mute())": "exit 1",
    "SystemExit(-1)": "exit 255",
    "SystemExit(True)": "exit 1",
    "minionize.errors.UsageError('of ours')": "UsageError: of ours",
}
#: What ends a call as if it had returned nothing.
RETURNS = ["SystemExit()", "SystemExit(0)", "SystemExit(256)"]


def test_whatever_is_raised_fails_its_task_and_no_other(camp):
    """In one batch after the other of the same child; the reason is on record, and the trace of what nobody foresaw."""
    cases = [*RAISES, *RETURNS]
    camp.put(f"1..{len(cases)}")
    minion = call(
        camp,
        f"""
        import minionize, minionize.errors

        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("I say nothing")

        class Retry(Exception):
            "Not that of minionize."

        class Stopped(SystemExit):
            "Nor is this."

        CASES = {cases!r}

        def endless():
            endless()

        def f(n):
            note(os.getpid())
            case = CASES[n - 1]
            if case == "RecursionError":
                endless()
            raise eval(case)
        """,
        variables={**ONCE, "MINION_BAD_HOST": "0"},  # which waits a little longer after each
    )
    assert minion.code() == 1, minion.err
    assert len(set(camp.runs())) == 1
    failures = {cases[param - 1]: entry.failure for param, entry in camp.entries().items() if entry.failure}
    reasons = {case: failure.reason for case, failure in failures.items()}
    assert reasons.pop("RecursionError").startswith("RecursionError: maximum recursion depth exceeded")
    assert reasons == {case: reason for case, reason in RAISES.items() if case != "RecursionError"}
    assert camp.counts().done == len(RETURNS)
    for case, failure in failures.items():
        assert ("Traceback" in failure.stderr) == (not case.startswith(("SystemExit", "Stopped", "minionize.Dead"))), (
            case
        )
    assert "in words" in failures["SystemExit('in words')"].stderr
    assert "slots/calls" not in failures["KeyError('x')"].stderr  # the trace begins where the function does


def test_a_trace_has_its_causes(camp):
    """As Python prints it."""
    camp.put("1")
    minion = call(
        camp,
        """
        def f(n):
            try:
                {}["missing"]
            except KeyError as error:
                raise ValueError("wrong") from error
        """,
        variables=ONCE,
    )
    assert minion.code() == 1
    stderr = camp.entries()[1].failure.stderr
    assert "KeyError: 'missing'" in stderr
    assert "direct cause" in stderr
    assert "f.py" in stderr


def test_a_long_reason_is_cut(camp):
    """A message of megabytes is one line of a screen."""
    camp.put("1")
    minion = call(camp, "def f(n): raise ValueError('x' * 5_000_000)", variables=ONCE)
    assert minion.code() == 1, minion.err[-1000:]
    assert len(camp.entries()[1].failure.reason) < 5000
    assert len(minion.err) < 6_000_000  # the trace itself is output


def test_retry_dead_and_interrupted_say_what_becomes_of_the_task(camp):
    """Retry is charged, Interrupted is not, Dead is the end."""
    camp.put("1..4")
    minion = call(
        camp,
        """
        from minionize import Dead, Interrupted, Retry, current_task

        def f(n):
            task = current_task()
            note(n, task.attempt, task.delivery)
            if n == 1:
                raise Dead("no")
            if n == 2 and task.attempt < 3:
                raise Retry("again", delay=0)
            if n == 3 and task.delivery < 3:
                raise Interrupted("later")
            if n == 4:
                raise Retry("for ever", delay=0)
        """,
    )
    assert minion.code() == 1, minion.err
    ran = [tuple(map(int, line.split())) for line in camp.runs()]
    assert sorted(ran) == [
        *((1, 1, 1), (2, 1, 1), (2, 2, 2), (2, 3, 3), (3, 1, 1)),
        *((3, 1, 2), (3, 1, 3), (4, 1, 1), (4, 2, 2), (4, 3, 3)),
    ]
    states = {param: entry.state for param, entry in camp.entries().items()}
    assert states == {1: "dead", 2: "done", 3: "done", 4: "dead"}


def test_the_delay_of_a_retry_is_kept(camp):
    """The task is delayed, and its minion leaves others to see to it where it was told to."""
    camp.put("1")
    minion = call(
        camp,
        """
        from minionize import Retry

        def f(n):
            raise Retry("in an hour", delay=3600)
        """,
        "--max-tasks",
        "1",
    )
    assert minion.code() == 99, minion.err
    assert camp.counts().delayed == 1
    assert ends(camp)[1]["retry_in"] == 3600


def test_exit_codes_mean_what_they_mean_for_programs(camp):
    """Not worth another attempt, and given back uncharged."""
    camp.put("1..2")
    minion = call(
        camp,
        """
        import sys
        from minionize import current_task

        def f(n):
            note(n)
            if n == 1:
                sys.exit(64)
            if current_task().delivery == 1:
                sys.exit(75)
        """,
        *("--dead-on", "64", "--requeue-on", "75"),
    )
    assert minion.code() == 1, minion.err
    assert sorted(camp.runs()) == ["1", "2", "2"]
    entries = camp.entries()
    assert (entries[1].state, entries[2].state, entries[2].attempt) == ("dead", "done", 1)


def test_what_is_returned_is_kept_whatever_it_is(camp):
    """And what cannot be kept does not fail the call."""
    results = {
        "None": None,
        "{'loss': 0.5}": {"loss": 0.5},
        "float('nan')": "nan",
        "b'x'": "b'x'",
        "'\\udc80'": "\udc80",
        "[1] * 5": [1] * 5,
        "''": "",
        "0": 0,
        "False": False,
        "open": "<built-in function open>",
    }
    camp.put(f"1..{len(results) + 2}")
    minion = call(
        camp,
        f"""
        CASES = {list(results)!r}

        class Sulky:
            def __repr__(self):
                raise RuntimeError

        def f(n):
            if n > len(CASES):
                return Sulky() if n % 2 else "x" * 100_000
            return eval(CASES[n - 1])
        """,
    )
    assert minion.code() == 0, minion.err
    found = {event["param"]: event["result"] for event in camp.events()}
    assert {case: found[at] for at, case in enumerate(results, 1)} == results
    assert sum("left out" in str(result) for result in found.values()) == 1
    assert sum("Sulky object" in str(result) for result in found.values()) == 1


#: Params of all kinds, as JSON text.
PARAMS = [
    '""',
    '"é\\n\\u0000ü"',
    "[]",
    "[1,[2]]",
    "{}",
    '{"a":{"b":null}}',
    "1e-5",
    "true",
    "null",
    json.dumps("x" * 5_000_000),
]


def test_a_function_gets_its_param_as_it_is(camp):
    """Empty, nested, with a NUL, five megabytes long."""
    (camp.path / "params.jsonl").write_text("\n".join(PARAMS) + "\n")
    camp.put("-f", "params.jsonl")
    minion = call(
        camp,
        """
        import hashlib, json
        from minionize import FuncCallback

        class f(FuncCallback):
            def call(self, param):
                return hashlib.sha256(json.dumps(param).encode()).hexdigest()
        """,
    )
    assert minion.code() == 0, minion.err
    expected = {hashlib.sha256(json.dumps(json.loads(param)).encode()).hexdigest() for param in PARAMS}
    assert {event["result"] for event in camp.events()} == expected


def test_params_that_python_cannot_read_are_dead_and_say_why(camp):
    """A number with more digits than it takes, for one; those beside it are done."""
    (camp.path / "params.jsonl").write_text("\n".join(["1", "9" * 5000, "[" + "8" * 5000 + "]", "2"]) + "\n")
    camp.put("-f", "params.jsonl")
    minion = call(camp, "def f(*n): return 1")
    assert minion.code() == 1, minion.err
    counts = camp.counts()
    assert (counts.done, counts.dead) == (2, 2)
    reasons = [entry.failure.reason for entry in camp.all_entries() if entry.failure]
    assert all("Python cannot read the param" in reason for reason in reasons)


@pytest.mark.parametrize("form", ["def f(a, b): note(a)", "def f(*, a, b): note(a)", "def f(a, /, b): note(a)"])
def test_a_first_param_that_does_not_fit_ends_the_minion(camp, form):
    """It is the function that is wrong, or the queue: nothing is charged, and what there is is named."""
    camp.put("a=1..3")
    minion = call(camp, form)
    assert minion.code() == 2, minion.err
    assert "cannot be called with this param" in minion.err
    assert "the param has a" in minion.err
    assert camp.runs() == []
    assert camp.counts() == Counts(pending=3, delayed=0, leased=0, done=0, dead=0)
    assert {entry.attempt for entry in camp.all_entries()} == {1}


def test_a_later_param_that_does_not_fit_is_dead(camp):
    """With the signature on record; the others go on."""
    (camp.path / "params.jsonl").write_text('{"a":1}\n{"b":2}\n{"a":3}\n')
    camp.put("-f", "params.jsonl")
    minion = call(camp, "def f(a): return a")
    assert minion.code() == 1, minion.err
    assert (camp.counts().done, camp.counts().dead) == (2, 1)
    (dead,) = (entry for entry in camp.all_entries() if entry.state == "dead")
    assert "f(a) cannot be called" in dead.failure.reason
    assert dead.attempt == 1


def test_a_type_error_of_the_function_itself_is_a_failure(camp):
    """Also where a decorator gives it arguments that its params do not have."""
    camp.put("1")
    minion = call(
        camp,
        """
        import functools

        def seeded(func):
            @functools.wraps(func)
            def wrapper(n):
                return func(n, seed=1)
            return wrapper

        @seeded
        def f(n, *, seed):
            return n + "1"
        """,
        variables=ONCE,
    )
    assert minion.code() == 1, minion.err
    assert "unsupported operand" in camp.entries()[1].failure.reason


def test_a_function_that_has_done_nothing_is_not_done(camp):
    """What gives a coroutine or a generator behind a decorator's back ends the minion, with what to do about it."""
    camp.put("1..3")
    minion = call(
        camp,
        """
        import functools

        async def later(n):
            note(n)

        f = functools.partial(later)
        """,
    )
    assert minion.code() == 2, minion.err
    assert "asyncio.run" in minion.err
    assert camp.counts().pending == 3
