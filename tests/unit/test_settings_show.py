"""What people see of settings: ``--show-config``, ``.env.example``, the README's tables; and what nobody may see."""

from __future__ import annotations

import io
import os
import re

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from minionize.masks import mask
from minionize.settings import Setting, launching, load
from minionize.settings.document import TITLES, env_example, settings_table
from minionize.settings.setting import NAME, duration, words
from minionize.settings.show import show
from minionize.settings.table import TABLE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_show_config_has_a_line_for_every_setting_with_its_source(tmp_path):
    """Columns: variable, value, source."""
    lines = show(load({"MINION_SLOTS": "4"}, {"MINION_HALT": "2"}, str(tmp_path))).splitlines()
    cells = [re.split(r"\s{2,}", line) for line in lines]
    assert [cell[0] for cell in cells] == [row.name for row in TABLE]
    assert ["MINION_SLOTS", "4", "flag --slots"] in cells
    assert ["MINION_HALT", "2", "environment"] in cells
    assert ["MINION_TIMEOUT", "-", "default"] in cells
    assert len({line.rindex("default") for line in lines if line.endswith("  default")}) == 1


def test_show_config_hides_secrets(tmp_path):
    """Both whole values and passwords in addresses."""
    rows = [Setting("CAVE_KEY", NAME, None, "", secret=True), Setting("CAVE_URL", NAME, None, "")]
    environ = {"CAVE_KEY": "hunter2", "CAVE_URL": "redis://ana:hunter2@host"}
    text = show(load({}, environ, str(tmp_path), extra=rows))
    assert "hunter2" not in text
    assert "redis://ana:***@host" in text


def test_show_config_keeps_to_one_line_and_to_text(tmp_path):
    """A line end or a byte that is no text is shown as an escape: the whole can be printed anywhere."""
    text = show(load({}, {"FILE_PATH": "a\nb\udcff"}, str(tmp_path)))
    assert r"'a\nb\udcff'" in text
    assert len(text.encode().splitlines()) == len(TABLE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://user:secret@h:6379/0", "redis://user:***@h:6379/0"),
        ("redis://:secret@h", "redis://:***@h"),
        ("redis://u:s/ec@ret@h/0", "redis://u:***@h/0"),
        ("redis://user@h:6379/0", "redis://user@h:6379/0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        (
            "cannot reach redis://u:secret@h (refused), see http://x",
            "cannot reach redis://u:***@h (refused), see http://x",
        ),
        ("redis://h/0?password=secret&db=1", "redis://h/0?password=***&db=1"),
        ("redis+sentinel://h/s/0?sentinel_password=secret&db=1", "redis+sentinel://h/s/0?sentinel_password=***&db=1"),
        ("rediss://h/0?ssl_password=secret", "rediss://h/0?ssl_password=***"),
        ("mail ana:secret@host", "mail ana:secret@host"),
    ],
)
def test_passwords_in_addresses_are_masked(text, shown):
    """Nothing else is: a user and a port are no secrets."""
    assert mask(text) == shown


def test_the_env_example_is_made_from_the_table():
    """Make it anew with: python -m minionize.settings.document env > .env.example."""
    with open(os.path.join(ROOT, ".env.example"), encoding="utf-8") as stream:
        assert stream.read() == env_example()


def test_the_env_example_sets_nothing():
    """A copy of it changes nothing until somebody takes a # away."""
    assert dotenv_values(stream=io.StringIO(env_example())) == {}


def test_the_env_example_shows_every_setting_with_its_default(tmp_path):
    """Taking all # away at the settings gives the defaults."""
    (tmp_path / ".env").write_text(re.sub(r"(?m)^#(\w+=)", r"\1", env_example()))
    lines = dotenv_values(tmp_path / ".env")
    rows = [*TABLE, *launching.TABLE]
    assert list(lines) == [row.name for row in rows]
    settings, defaults = load({}, {}, str(tmp_path)), load({}, {}, "/proc")
    assert settings.warnings == ()  # those of minion-launch are nothing to a minion
    assert [settings[row] for row in rows] == [defaults[row] for row in rows]


def test_the_readme_tables_name_every_setting_and_flag_once():
    """Four cells a row, a table a group."""
    text = settings_table()
    assert text.count(".. list-table:: ") == len({row.group for row in TABLE})
    assert text.count("   * -") == len(TABLE) + len({row.group for row in TABLE})
    for row in TABLE:
        assert text.count(f"     - ``{row.name}``\n") == 1
        assert all(f"``{flag}``" in text for flag in row.flags)


def test_every_group_of_settings_has_a_heading():
    """A new group needs words of its own, and its rows stand together."""
    groups = list(dict.fromkeys(row.group for row in TABLE))
    assert set(groups) <= set(TITLES)
    assert settings_table().count(".. list-table:: ") == len(groups)


@given(st.integers(min_value=0, max_value=10**7))
def test_a_length_of_time_is_read_as_it_is_written(seconds):
    """What a screen shows can be typed into a flag."""
    assert duration(words(seconds)) == seconds
