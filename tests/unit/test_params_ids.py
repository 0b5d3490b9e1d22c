"""What tasks are called, and that counting occurrences needs no memory to speak of."""

from __future__ import annotations

import subprocess
import sys
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minionize.params import ids
from minionize.params.ids import identify, number


def names(texts, **options):
    """Give the ids of a put."""
    return [task.id for task in number(texts, **options)]


def test_an_id_is_the_same_for_ever():
    """A queue filled by an older version knows its params: these never change."""
    assert identify('"a"') == "167004e8304614a8"
    assert identify('{"b":1.0,"a":"é"}') == "9535a3d91bb3fee4"
    assert identify('"a"', 2) == "92d639dd3ac86fb1"


def test_equal_params_have_one_id():
    """However their keys are ordered and their strings spelled."""
    assert identify('{"b":1,"a":"\\u00e9"}') == identify('{"a":"é","b":1}')


def test_digits_and_types_make_other_ids():
    """So do occurrences."""
    assert (
        len({identify("1"), identify("1.0"), identify('"1"'), identify("1", 2), identify("1", 3), identify("12")}) == 6
    )


def test_a_param_that_stands_twice_is_two_tasks():
    """The first is known from any other put."""
    assert names(["1", "2", "1"]) == [identify("1"), identify("2"), identify("1", 2)]


def test_a_task_keeps_its_params_text():
    """Only the id is canonical."""
    assert [task.param for task in number(['{"b":1,"a":2}'])] == ['{"b":1,"a":2}']


def test_extending_a_put_adds_only_what_is_new():
    """Ids of the old ones are the same."""
    old = ["1", "1", "2"]
    assert names([*old, "3", "1"])[:3] == names(old)


def test_again_makes_new_names_every_time():
    """Copies are added, also of what stands twice."""
    twice = names(["1", "1"], again=True) + names(["1", "1"], again=True)
    assert len({*twice, identify("1"), identify("1", 2)}) == 6


def test_numbering_is_lazy():
    """An endless source gives its first task at once."""
    assert [task.param for task in islice(number(map(str, count())), 2)] == ["0", "1"]


@given(st.lists(st.integers(0, 12).map(str), max_size=60))
def test_on_disk_occurrences_are_counted_as_in_memory(texts):
    """Within a batch, across batches, and across the border."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_IN_MEMORY", 3)
        patch.setattr(ids, "_BATCH", 4)
        spilled = names(texts)
    assert spilled == [identify(text, texts[: index + 1].count(text)) for index, text in enumerate(texts)]


def test_params_beyond_memory_are_all_given(monkeypatch):
    """In their order, also where no batch is full."""
    monkeypatch.setattr(ids, "_IN_MEMORY", 3)
    monkeypatch.setattr(ids, "_BATCH", 4)
    texts = [str(index) for index in range(30)]
    assert [task.param for task in number(texts)] == texts


def test_a_small_put_needs_no_sqlite():
    """It is imported when memory is full."""
    code = (
        "import sys; from minionize.params.ids import number; list(number(['1', '1'])); print('sqlite3' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
