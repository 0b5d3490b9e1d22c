"""Failures with one cause are one group."""

from __future__ import annotations

import pytest

from minionize.status.failures import Cause, cause_of_event, describe, signature


def _event(**fields):
    return {"outcome": "failed", "exit": None, "signal": None, "reason": "", "stderr": "", "param": None, **fields}


def test_the_last_line_of_stderr_is_the_signature():
    """Without colours, numbers, ids and empty lines."""
    stderr = "reading\n\x1b[31msimulate: cannot open /data/m_4711.bin\x1b[0m\n\n"
    assert cause_of_event(_event(exit=3, stderr=stderr)) == Cause("exit", 3, "simulate: cannot open /data/m_#.bin")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("at 0x7ffd12ab in 1.5e-3 s", "at # in # s"),
        ("job 550e8400-e29b-41d4-a716-446655440000 gone", "job # gone"),
        ("commit deadbeef01 is bad, feedface is a word", "commit # is bad, feedface is a word"),
        ("x" * 500, "x" * 120),
    ],
)
def test_what_differs_from_task_to_task_is_taken_out(line, expected):
    """UUIDs, hexadecimal and decimal numbers become #."""
    assert signature(line, None) == expected


def test_words_of_the_param_are_named():
    """But not numbers, of which two may be equal by chance, nor parts of other words."""
    param = {"model": "resnet", "seed": 3, "mode": "a"}
    assert signature("resnet: no data for resnet50, seed 3, a", param) == "{model}: no data for resnet#, seed #, a"
    assert signature("cannot open input.txt", "input.txt") == "cannot open {}"


def test_a_shells_exit_code_is_read_as_the_signal_it_stands_for():
    """137 and signal 9 are one group."""
    by_shell, direct = cause_of_event(_event(exit=137)), cause_of_event(_event(signal=9))
    assert by_shell == direct
    assert describe(direct) == "signal 9 (out of memory?)"
    assert describe(cause_of_event(_event(exit=139))) == "signal 11 (segmentation fault)"


def test_timeouts_are_one_group_wherever_the_program_was():
    """What it last wrote says nothing about why."""
    event = _event(outcome="timeout", signal=15, reason="timeout after 5m", stderr="step 17\n")
    assert describe(cause_of_event(event)) == "timeout after 5m"


def test_an_error_of_ours_is_known_by_its_reason():
    """It has neither exit code nor signal."""
    cause = cause_of_event(_event(reason="argument list too long (140000 bytes)"))
    assert describe(cause) == "error: argument list too long (# bytes)"


def test_fields_of_a_wrong_type_count_as_missing():
    """A hostile event makes no traceback."""
    assert cause_of_event(_event(exit="3", signal=[9], stderr=7, reason=None)) == Cause("error", None, "")
