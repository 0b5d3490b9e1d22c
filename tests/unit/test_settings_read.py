"""Where the values of settings come from, and what is said about bad ones."""

from __future__ import annotations

import os
import sys

import pytest

from minionize.errors import UsageError
from minionize.settings import Setting, load
from minionize.settings import table as t
from minionize.settings.setting import COUNT, NAME


def write(directory, text):
    """Write a .env file."""
    (directory / ".env").write_text(text, encoding="utf-8")
    return str(directory)


def test_a_flag_wins_over_the_environment_over_dotenv_over_the_default(tmp_path):
    """The four places, from the weakest to the strongest."""
    assert load({}, {}, str(tmp_path))[t.GRACE] == 5.0
    here = write(tmp_path, "MINION_GRACE=1m\n")
    assert load({}, {}, here)[t.GRACE] == 60.0
    assert load({}, {"MINION_GRACE": "2m"}, here)[t.GRACE] == 120.0
    assert load({"MINION_GRACE": "3m"}, {"MINION_GRACE": "2m"}, here)[t.GRACE] == 180.0


def test_every_value_names_its_source(tmp_path, monkeypatch):
    """People find the place where a value was set."""
    write(tmp_path, "MINION_LEASE=90s\n")
    monkeypatch.chdir(tmp_path)
    settings = load({"MINION_TIMEOUT": "5m"}, {"MINION_HALT": "2"})
    assert [settings.source(row) for row in (t.TIMEOUT, t.HALT, t.LEASE, t.GRACE)] == [
        "flag --timeout",
        "environment",
        "./.env",
        "default",
    ]
    assert settings.text(t.LEASE) == "90s"
    assert settings.describe(t.HALT) == 'MINION_HALT="2" (environment)'


def test_what_is_unset_and_has_no_default_is_none(tmp_path):
    """None is the value of no value."""
    settings = load({}, {}, str(tmp_path))
    assert settings[t.ENGINE] is None
    assert settings.text(t.ENGINE) is None
    assert settings.describe(t.ENGINE) == "MINION_ENGINE (unset)"


@pytest.mark.parametrize(
    ("flags", "environ", "message"),
    [
        (
            {},
            {"MINION_SLOTS": "many"},
            'MINION_SLOTS="many" (environment) is not allowed: a whole number from 1, or auto',
        ),
        ({"MINION_SLOTS": "0"}, {}, 'MINION_SLOTS="0" (flag --slots) is not allowed: a whole number from 1, or auto'),
        ({"MINION_ENGINE": ""}, {}, 'MINION_ENGINE="" (flag --engine) is not allowed: a name'),
    ],
)
def test_a_bad_value_names_variable_value_source_and_what_is_allowed(tmp_path, flags, environ, message):
    """All that is needed to repair it, before anything is run."""
    with pytest.raises(UsageError) as caught:
        load(flags, environ, str(tmp_path))
    assert str(caught.value) == message


def test_a_bad_value_in_dotenv_names_the_file(tmp_path):
    """The variable may be set in several places: say which one is wrong."""
    here = write(tmp_path, "DRY=perhaps\n")
    with pytest.raises(UsageError, match=r'^DRY="perhaps" \(.*/\.env\) is not allowed: 1 or 0$'):
        load({}, {}, here)


def test_a_weaker_bad_value_does_not_matter(tmp_path):
    """A flag repairs a variable for one run."""
    assert load({"MINION_SLOTS": "2"}, {"MINION_SLOTS": "many"}, str(tmp_path))[t.SLOTS_] == 2


def test_a_bad_secret_is_not_repeated(tmp_path):
    """Not in the message, and not in the error behind it."""
    row = Setting("TOKEN", COUNT, None, "", secret=True)
    with pytest.raises(UsageError) as caught:
        load({}, {"TOKEN": "hunter2"}, str(tmp_path), extra=[row])
    assert str(caught.value).startswith('TOKEN="***" (environment)')
    assert caught.value.__suppress_context__


def test_an_empty_variable_brings_the_default_and_hides_dotenv(tmp_path):
    """``MINION_HALT= minionize`` takes a value back, whatever the kind of the setting."""
    here = write(tmp_path, "MINION_HALT=3\nMINION_WAIT=1\nMINION_ENGINE=file\nMINION_GRACE=\n")
    settings = load({}, {"MINION_HALT": "", "MINION_WAIT": "", "MINION_ENGINE": ""}, here)
    assert (settings[t.HALT], settings[t.WAIT], settings[t.ENGINE], settings[t.GRACE]) == (0, False, None, 5.0)
    assert settings.source(t.HALT) == "default"


def test_dotenv_sets_nothing_but_our_settings_and_exports_nothing(tmp_path):
    """The file may belong to another program as well."""
    here = write(tmp_path, "MINIONIZE_TEST_OTHER=1\nMINION_HALT=3\n")
    before = dict(os.environ)
    settings = load({}, {}, here)
    assert settings[t.HALT] == 3
    assert settings.warnings == ()
    assert dict(os.environ) == before


def test_dotenv_values_may_refer_to_each_other(tmp_path):
    """Interpolation is python-dotenv's."""
    assert (
        load({}, {}, write(tmp_path, "ROOT=/data\nFILE_PATH=${ROOT}/params.txt\n"))[t.FILE_PATH] == "/data/params.txt"
    )


def test_a_dotenv_file_from_another_editor_is_read(tmp_path):
    """A byte order mark is not part of the first name."""
    assert load({}, {}, write(tmp_path, "\ufeffMINION_HALT=3\n"))[t.HALT] == 3


def test_a_line_of_dotenv_that_cannot_be_read_is_a_warning(tmp_path, capfd):
    """It may be meant for another program, so the rest counts; the file and the line are named."""
    settings = load({}, {}, write(tmp_path, "what is this?\nMINION_HALT=3\n"))
    assert settings[t.HALT] == 3
    (warning,) = settings.warnings
    assert warning.startswith(f"{tmp_path}/.env: ")
    assert "line 1" in warning
    assert capfd.readouterr().err == ""


def test_an_unreadable_dotenv_is_an_error(tmp_path):
    """Going on without it would run the wrong queue."""
    (tmp_path / ".env").symlink_to(".env")
    with pytest.raises(UsageError, match=r"cannot read .*/\.env: Too many levels"):
        load({}, {}, str(tmp_path))


def test_a_dotenv_that_is_no_text_is_an_error(tmp_path):
    """It says so instead of guessing an encoding."""
    (tmp_path / ".env").write_bytes(b"MINION_HALT=\xff\n")
    with pytest.raises(UsageError, match=r"cannot read .*/\.env: it is not UTF-8"):
        load({}, {}, str(tmp_path))


def test_a_directory_called_dotenv_is_somebodys_virtual_environment(tmp_path):
    """Many people call theirs so."""
    (tmp_path / ".env").mkdir()
    assert load({}, {}, str(tmp_path))[t.HALT] == 0


def test_python_dotenv_is_imported_only_where_there_is_a_file(tmp_path, monkeypatch):
    """It costs a minion more than all the rest of its start."""
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert load({}, {}, str(tmp_path))[t.HALT] == 0
    with pytest.raises(ImportError):
        load({}, {}, write(tmp_path, "MINION_HALT=1"))


def test_an_unknown_variable_is_a_warning_with_the_nearest_name(tmp_path):
    """A typo must not silently do nothing, wherever it stands."""
    here = write(tmp_path, "MINION_LEASES=1m\n")
    assert load({}, {"MINION_TIMEOT": "5m", "MINION_XYZZY": "1"}, here).warnings == (
        "MINION_TIMEOT (environment) is not a setting, and ignored. Did you mean MINION_TIMEOUT?",
        "MINION_XYZZY (environment) is not a setting, and ignored",
        f"MINION_LEASES ({tmp_path}/.env) is not a setting, and ignored. Did you mean MINION_LEASE?",
    )


def test_a_minion_inside_a_minion_is_not_warned_of_what_it_was_given(tmp_path):
    """The outer minion tells its child about the task; that is no configuration."""
    names = ("PARAM", "PARAM_FILE", "TASK_ID", "ATTEMPT", "ID", "SLOT", "RESULT_FILE")
    assert load({}, {f"MINION_{name}": "x" for name in names}, str(tmp_path)).warnings == ()


def test_a_plug_in_brings_its_own_settings(tmp_path):
    """Declared rows are checked, shown and known; any other row can still be asked for."""
    row = Setting("MINION_CAVE", NAME, "deep", "Where the queue is", group="queue")
    environ = {"MINION_CAVE": "dark"}
    plain = load({}, environ, str(tmp_path))
    assert plain.warnings != ()
    assert plain[row] == "dark"
    for settings in (load({}, environ, str(tmp_path), extra=[row]), plain.with_rows([row, row])):
        assert settings.warnings == ()
        assert settings[row] == "dark"
        assert settings.rows.count(row) == 1


def test_a_program_overrides_settings_by_name(tmp_path):
    """What the calling program says wins, and a name that does not exist is an error."""
    settings = load({"MINION_SLOTS": "2"}, {}, str(tmp_path)).with_(MINION_SLOTS="4")
    assert settings[t.SLOTS_] == 4
    assert settings.source(t.SLOTS_) == "call"
    assert settings.with_(MINION_HALT="1")[t.SLOTS_] == 4
    with pytest.raises(UsageError, match=r"MINION_SLOT is not a setting\. Did you mean MINION_SLOTS\?"):
        settings.with_(MINION_SLOT="4")


def test_values_are_read_once(tmp_path):
    """A minion asks for its settings all the time."""
    texts = []
    row = Setting("CAVE", COUNT._replace(parse=lambda text: texts.append(text) or 1), "7", "")
    settings = load({}, {}, str(tmp_path), extra=[row])
    assert (settings[row], settings[row], texts) == (1, 1, ["7"])
