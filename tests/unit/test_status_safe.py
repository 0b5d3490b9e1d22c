"""What strangers wrote is made safe for a terminal, and fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minionize.status.safe import cut, pad, safe, width


def test_escapes_and_controls_become_visible():
    """A param cannot clear the screen, forge a line, or turn the text around."""
    assert safe("\x1b[2Jred\r\n\x00") == r"\x1b[2Jred\r\n\x00"
    assert safe("abc\u202edef\ud800") == r"abc\u202edef\ud800"
    assert safe("π 漢字 é") == "π 漢字 é"


def test_wide_characters_take_two_columns():
    """And combining ones none."""
    assert width("漢字") == 4
    assert width("e\u0301") == 1
    assert pad("漢", 4) == "漢  "


def test_a_cut_text_says_so():
    """The mark takes part of the room; a wide character is not halved."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("漢字漢字", 4) == "漢…"
    assert cut("abcdef", 4, "~") == "abc~"


@given(st.text(), st.integers(1, 30))
def test_nothing_is_ever_wider_than_its_room(text, columns):
    """Whatever the text."""
    shown = cut(text, columns)
    assert width(shown) <= columns
    assert shown.isprintable()
