"""What ``.minionize.yml`` may say, how it is read, and what is said about it where it is wrong."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minionize.errors import UsageError
from minionize.settings import Setting, load, yaml_file
from minionize.settings import table as t
from minionize.settings.project import Project
from minionize.settings.setting import NAME
from minionize.settings.show import show

ROOT = Path(__file__).parents[2]


def write(directory, text):
    """Write the file, and return its directory."""
    (directory / ".minionize.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(directory)


def said(directory, text):
    """Return the error that a file is, without the path of its directory."""
    with pytest.raises(UsageError) as caught:
        settings = load({}, {}, write(directory, text))
        settings.project.words()
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, (OSError, UnicodeError))
    return str(caught.value).replace(f"{directory}/", "./")


def words(directory, text):
    """Return the words of the command of a file."""
    return load({}, {}, write(directory, text)).project.words()


def test_it_is_weaker_than_dotenv_and_stronger_than_the_default(tmp_path):
    """The five places, from the weakest to the strongest."""
    assert load({}, {}, str(tmp_path))[t.GRACE] == 5.0
    here = write(tmp_path, "grace: 1m\n")
    assert load({}, {}, here)[t.GRACE] == 60.0
    (tmp_path / ".env").write_text("MINION_GRACE=2m\n")
    assert load({}, {}, here)[t.GRACE] == 120.0
    assert load({}, {"MINION_GRACE": "3m"}, here)[t.GRACE] == 180.0
    assert load({"MINION_GRACE": "4m"}, {"MINION_GRACE": "3m"}, here)[t.GRACE] == 240.0


def test_every_value_names_file_and_line(tmp_path, monkeypatch):
    """Also that of a list, and behind comments; an error calls the key as it was typed."""
    write(
        tmp_path, "# ours\n\nslots: 3\ncommand:\n  - ./a.out\nmount:\n- /data:/data:ro\n- /scratch\nMax_Attempts: 9\n"
    )
    monkeypatch.chdir(tmp_path)
    settings = load({}, {})
    sources = [settings.source(row) for row in (t.SLOTS_, t.MOUNTS, t.MAX_ATTEMPTS)]
    assert sources == [f"./.minionize.yml:{line}" for line in (3, 6, 9)]
    assert settings.project.command == "./.minionize.yml:4"
    assert settings.text(t.MOUNTS) == "/data:/data:ro,/scratch"
    assert settings.describe(t.MAX_ATTEMPTS) == 'Max_Attempts="9" (./.minionize.yml:9)'
    assert show(settings).splitlines()[-1].split() == ["command", "./a.out", "./.minionize.yml:4"]


@pytest.mark.parametrize(
    ("key", "row"),
    [
        *(("slots", t.SLOTS_), ("MINION_SLOTS", t.SLOTS_), ("minion-slots", t.SLOTS_)),
        *(("max-attempts", t.MAX_ATTEMPTS), ("max_attempts", t.MAX_ATTEMPTS), ("attempts", t.MAX_ATTEMPTS)),
        *(("engine-patience", t.PATIENCE), ("wait", t.WAIT), ("dry-run", t.DRY), ("dry", t.DRY)),
        *(("REDIS_URL", t.REDIS_URL), ("redis_url", t.REDIS_URL), ("sqlite_path", t.SQLITE_PATH)),
        *(("FILE_PATH", t.FILE_PATH), ("python", t.PYTHON), ("function", t.PYTHON), ("mounts", t.MOUNTS)),
    ],
)
def test_keys_are_long_flags_or_variables(tmp_path, key, row):
    """With - or _, in capitals or not; and words of everyday for three of them."""
    text = {t.PYTHON: "a:b", t.PATIENCE: "7s"}.get(row, "7" if row in (t.SLOTS_, t.MAX_ATTEMPTS) else "1")
    settings = load({}, {}, write(tmp_path, f"{key}: {text}\n"))
    assert (settings.text(row), settings.source(row)) == (text, f"{tmp_path}/.minionize.yml:1")


def test_every_setting_has_a_key(tmp_path):
    """By its flag where it has one, else by its variable; and none is two settings'."""
    keys = [next((flag[2:] for flag in row.flags if flag.startswith("--")), row.name) for row in t.TABLE]
    assert len({key.lower().replace("-", "_") for key in keys}) == len(keys)
    here = write(tmp_path, "".join(f"{key}:\n" for key in keys))
    assert show(load({}, {}, here)) == show(load({}, {}, str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    "text", ["null", "no", "on", "~", "007", "0x10", "1e-5", "0.10", "12:30:45", "2001-01-01", "=", ".inf", "1_000"]
)
def test_values_are_what_was_typed(tmp_path, text):
    """What YAML would make of them (nothing, false, 7, 45045) is not what anybody meant."""
    here = write(tmp_path, f"reporter: {text}\ncommand: [./a.out, {text}]\n")
    settings = load({}, {}, here)
    assert (settings.text(t.REPORTER), settings.project.words()) == (text, ("./a.out", text))


def test_the_example_of_the_readme_is_read(tmp_path):
    """With a value for every key that is not commented out, and a warning for none."""
    section = (ROOT / "README.rst").read_text("utf-8").partition("\nA directory that knows what to run")[2]
    text = dedent(section.partition("::\n\n")[2].partition("\n\n*")[0])
    assert "attempts: 5" in text
    settings = load({}, {}, write(tmp_path, text))
    assert settings.warnings == ()
    assert settings.project.words() == ("./simulate", "--seed={seed}", "{alpha}")
    assert (settings[t.WAIT], settings.text(t.MOUNTS)) == (True, "/data:/data:ro,/scratch")
    commented = re.findall(r"^# .*?(\w+: \S.*)$", text, re.MULTILINE)
    assert [load({}, {}, write(tmp_path, line)).project.exists for line in commented] == [True] * 3


def test_a_setting_reads_its_value_as_it_does_everywhere(tmp_path):
    """Switches, lengths of time, codes."""
    here = write(tmp_path, "wait: yes\nservice: off\ntimeout: 1h30m\ndead-on: [64, 65]\nrequeue-on: 75\nslots: auto\n")
    settings = load({}, {}, here)
    assert (settings[t.WAIT], settings[t.SERVICE], settings[t.TIMEOUT], settings[t.SLOTS_]) == (True, False, 5400, None)
    assert (settings[t.DEAD_ON], settings[t.REQUEUE_ON]) == ({64, 65}, {75})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("command: ./simulate {seed} --alpha={alpha}", ("./simulate", "{seed}", "--alpha={alpha}")),
        ("command: ./a 'b c'  # why", ("./a", "b c")),
        ("command: \"awk '{print $1}' {}\"", ("awk", "{print $1}", "{}")),
        ("command: >\n  ./a\n  --long {x}\n", ("./a", "--long", "{x}")),
        ("command:\n- sh\n- -c\n- |\n  cd x\n  ./a {x}\n", ("sh", "-c", "cd x\n./a {x}\n")),
        ("command: [./a, '{x}', 1.0, '', yes]", ("./a", "{x}", "1.0", "", "yes")),
        ("COMMAND: true", ("true",)),
        ("command: ./é {x}", ("./é", "{x}")),
        ("grace: &five 5s\ntimeout: *five\ncommand: [&x ./a, *x]", ("./a", "./a")),
    ],
)
def test_a_command_is_a_line_or_a_list_of_words(tmp_path, text, found):
    """A line is split as a shell would, and nothing else of a shell happens."""
    assert words(tmp_path, text) == found


def test_words_of_a_setting_are_a_line_or_a_list_too(tmp_path):
    """One with a space in it stays one."""
    for text in ("--memory 2g --label 'a b'", "[--memory, 2g, --label, a b]"):
        here = write(tmp_path, f"container-options: {text}\n")
        assert load({}, {}, here)[t.CONTAINER_OPTIONS] == ("--memory", "2g", "--label", "a b")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n# nothing\n...\n", "{}", "\ufeff", " \n\n"])
def test_an_empty_file_says_nothing(tmp_path, text):
    """It is there, that is all."""
    settings = load({}, {}, write(tmp_path, text))
    assert settings.project.exists
    assert settings.project.command is None
    assert show(settings) == show(load({}, {}, str(tmp_path / "nowhere")))


def test_an_empty_value_brings_the_default(tmp_path):
    """As ``VARIABLE=`` does; and that hides the file."""
    here = write(tmp_path, "halt:\ngrace: ''\nlease: 30s\nwait: 1\nmount: []\n")
    (tmp_path / ".env").write_text("MINION_WAIT=\n")
    settings = load({}, {"MINION_LEASE": ""}, here)
    values = [settings[row] for row in (t.HALT, t.GRACE, t.LEASE, t.WAIT, t.MOUNTS)]
    assert values == [0, 5.0, 60.0, False, None]
    assert settings.source(t.LEASE) == "default"


def test_files_of_other_editors_are_read(tmp_path):
    """With a mark in front, and line ends of another system."""
    settings = load({}, {}, write(tmp_path, "\ufeffslots: 3\r\ncommand: ./a {x}\r\n"))
    assert (settings[t.SLOTS_], settings.project.words()) == (3, ("./a", "{x}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slots: many", 'slots="many" (./.minionize.yml:1) is not allowed: a whole number from 1, or auto'),
        ("grace: 1s\nslotz: 3", "./.minionize.yml:2: slotz is not a setting. Did you mean slots?\n  Keys are"),
        ("j: 3", "./.minionize.yml:1: j is not a setting. Did you mean slots?"),
        ("max-atempts: 3", "./.minionize.yml:1: max-atempts is not a setting. Did you mean max-attempts?"),
        ("cmd: ./a", "./.minionize.yml:1: cmd is not a setting. Did you mean command?"),
        ("sqlite-pth: x", "./.minionize.yml:1: sqlite-pth is not a setting. Did you mean SQLITE_PATH?"),
        ("environment:\n  A: 1", "./.minionize.yml:1: environment is not a setting."),
        ("1: 2", "./.minionize.yml:1: 1 is not a setting."),
        ("slots: 1\n\nslots: 2", "./.minionize.yml:3: slots stands there already, in line 1. Take one"),
        ("slots: 1\nSlots: 2", "./.minionize.yml:2: Slots stands there already, in line 1, as slots."),
        (
            "max-attempts: 1\nattempts: 1",
            "./.minionize.yml:2: attempts stands there already, in line 1, as max-attempts",
        ),
        ("command: a\nCOMMAND: b", "./.minionize.yml:2: COMMAND stands there already, in line 1, as command"),
        ("command:", "./.minionize.yml:1: command is empty.\n  Say what to run:  command: ./simulate {seed}"),
        ("command: '  '", "./.minionize.yml:1: command is empty."),
        ("command: []", "./.minionize.yml:1: command is empty."),
        ("command: it's", "./.minionize.yml:1: command is no command line: No closing quotation"),
        (
            "command: ./a {x} > 'o p'",
            "./.minionize.yml:1: command holds >, and no shell runs it.\n  For a shell:  command: [sh",
        ),
        ("command: ./a {x} && ./b | c", "./.minionize.yml:1: command holds &&, and no shell runs it."),
        ("command: [a, {seed}]", "./.minionize.yml:1: command takes no keys of its own; braces need quotes, as in"),
        ("command: {}", "./.minionize.yml:1: command takes no keys of its own; braces need quotes, as in  '{seed}'"),
        ("command: [a, [b]]", "./.minionize.yml:1: command takes no list inside a list"),
        ('command: "a\\0b"', "./.minionize.yml:1: command holds a character that no argument can hold"),
        ('grace: "\\ud800"', "./.minionize.yml:1: grace holds a character that no argument can hold"),
        ("slots: [1, 2]", "./.minionize.yml:1: slots takes one value, no list"),
        ("mount: ['/a,/b']", "./.minionize.yml:1: mount takes no item with a comma in it: make it two"),
        ("slots: &a [*a]", "./.minionize.yml:1: slots takes no list inside a list"),
        (
            "slots: !!python/object:os.system x",
            "./.minionize.yml:1: slots takes no type and no anchor alone: what begins",
        ),
        ("slots: !!binary aGk=", "./.minionize.yml:1: slots takes no type and no anchor alone"),
        ("slots: &2", "./.minionize.yml:1: slots takes no type and no anchor alone"),
        ("- slots", "./.minionize.yml:1: it is to hold a key and its value on each line, as in  slots: 4"),
        ("\njust words", "./.minionize.yml:2: it is to hold a key and its value on each line"),
        ("[a]: b", "./.minionize.yml:1: a key is a word, as in  slots: 4"),
        ("<<: {slots: 1}", "./.minionize.yml:1: keys of elsewhere are not merged (<<): write them out"),
        ("slots: 1\n---\nslots: 2", "./.minionize.yml:2: a second document begins"),
        ("slots: 1\n\tgrace: 2s", "./.minionize.yml:2: YAML takes no tabs here\n  Indent with spaces"),
        (
            "command: ./a: b",
            "./.minionize.yml:1: a colon stands in a value, or the line above has none\n  Quote that value",
        ),
        ("slots: 1\ncommand ./a\n", "./.minionize.yml:2: no colon stands behind a key\n  As in  slots: 4"),
        ("slots: 1\ncommand: *.sh", "./.minionize.yml:2: * begins the name of an anchor, and there is none of that"),
        ("grace: 1s\ncommand: 'a\n\n", "./.minionize.yml:2: it is not closed (while scanning a quoted scalar)"),
        ("grace: 1s\nslots: [1,\n\n", "./.minionize.yml:2: it is not closed (while parsing a flow"),
        ("grace: 1s\nslots: [\n\n", "./.minionize.yml:2: it is not closed (while parsing a flow"),
        ("slots: 1\n\x07: 2", "./.minionize.yml:2: a character that no text holds: 0x7"),
        (r'x: "\UFFFFFFFF"', "./.minionize.yml cannot be read as YAML: an escape names no character"),
        (r'x: "\U00110000"', "./.minionize.yml cannot be read as YAML: an escape names no character"),
        ("x: " + "[" * 20000, "./.minionize.yml cannot be read as YAML: it is nested too deeply"),
        (b"slots: 1\ncommand: \xff", "cannot read ./.minionize.yml: it is not UTF-8 (invalid start byte, in line 2)\n"),
        ("slots: 1\n".encode("utf-16"), "cannot read ./.minionize.yml: it is not UTF-8"),
        (b"#" * 10_000_000, "cannot read ./.minionize.yml: it is larger than 64 KiB"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path, text, message):
    """And what to write instead, where that can be known."""
    assert said(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    "value", ["!hunter2", "!hunter2!x", "&hunter2", "*hunter2", "{hunter2}", "{hunter2: 1}", "[hunter2]", "%hunter2"]
)
def test_a_password_that_yaml_does_not_take_as_text_is_neither_shown_nor_lost(tmp_path, value):
    """Its first character has a meaning: the error says of which line, and nothing of the value."""
    assert "hunter2" not in said(tmp_path, f"PULSAR_TOKEN: {value}\n")


def test_words_of_a_shell_are_arguments_where_that_is_meant(tmp_path):
    """In a list, and inside a longer word."""
    assert words(tmp_path, "command: [expr, '{a}', '>', '{b}']") == ("expr", "{a}", ">", "{b}")
    assert words(tmp_path, "command: sh -c './a > o' -") == ("sh", "-c", "./a > o", "-")


def test_a_small_file_cannot_become_a_large_list(tmp_path):
    """An anchor of 30 kB, said two thousand times."""
    text = f"x: &a {'a' * 30000}\ncommand: [{', '.join(['*a'] * 2000)}]"
    with pytest.raises(UsageError, match="takes no list of more than 64 KiB"):
        Project("", yaml_file.parse(text, ""), exists=True).words()


def test_a_weaker_bad_value_does_not_matter(tmp_path):
    """A flag repairs the file for one run; what is no YAML, and a key that is none, nothing repairs."""
    here = write(tmp_path, "slots: many\nmount: {}\ncommand: it's\n")
    assert load({"MINION_SLOTS": "2"}, {"MINION_MOUNT": "/data"}, here)[t.SLOTS_] == 2
    with pytest.raises(UsageError, match="slotz"):
        load({"MINION_SLOTS": "2"}, {}, write(tmp_path, "slotz: 2\n"))


def test_a_place_where_no_file_can_be_is_fine(tmp_path):
    """There is none there."""
    (tmp_path / "file").write_text("")
    for directory in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        assert not load({}, {}, str(directory)).project.exists


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkdir, "Is a directory"),
        (os.mkfifo, "it is not a file"),
        (lambda path: os.symlink(os.devnull, path), "it is not a file"),
        (lambda path: os.symlink("nothing", path), "it is a symbolic link to nothing"),
        (lambda path: os.symlink(path, path), "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_an_error(tmp_path, make, why):
    """Going on without it would run something else; a FIFO keeps nobody waiting."""
    make(tmp_path / ".minionize.yml")
    with pytest.raises(UsageError, match=rf"^cannot read .*/\.minionize\.yml: {why}\n  It says what minions here run"):
        load({}, {}, str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path):
    """With the system's reason."""
    write(tmp_path, "slots: 2")
    (tmp_path / ".minionize.yml").chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        load({}, {}, str(tmp_path))


def test_a_file_that_all_may_change_is_warned_of(tmp_path):
    """With the cure."""
    path = write(tmp_path, "slots: 2") + "/.minionize.yml"
    os.chmod(path, 0o666)
    assert load({}, {}, str(tmp_path)).warnings == (f"{path} can be changed by anybody:  chmod o-w {path}",)
    os.chmod(path, 0o644)
    assert load({}, {}, str(tmp_path)).warnings == ()


def test_the_other_ending_is_warned_of(tmp_path):
    """Where it would silently do nothing."""
    (tmp_path / ".minionize.yaml").write_text("slots: 2")
    settings = load({}, {}, str(tmp_path))
    assert settings.warnings == (f"{tmp_path}/.minionize.yaml is not read: the name is .minionize.yml",)
    assert settings[t.SLOTS_] == 1


def test_a_secret_is_masked_and_warned_of(tmp_path):
    """Such a file is committed; ``.env`` usually is not."""
    here = write(tmp_path, "PULSAR_TOKEN: hunter2\nREDIS_URL: redis://:hunter2@host/0\n")
    settings = load({}, {}, here)
    assert [warning.partition(" (")[0] for warning in settings.warnings] == [
        'REDIS_URL="redis://:***@host/0"',
        'PULSAR_TOKEN="***"',
    ]
    assert all(warning.endswith("put it into .env") for warning in settings.warnings)
    assert "hunter2" not in show(settings) + "".join(settings.warnings)
    assert settings[t.PULSAR_TOKEN] == "hunter2"
    assert load({}, {"PULSAR_TOKEN": "x", "REDIS_URL": "redis://host/0"}, here).warnings == ()


def test_settings_of_minion_launch_are_left_to_it(tmp_path):
    """By flag or variable; also those that only a launcher from elsewhere knows."""
    here = write(tmp_path, "walltime: 2h\nMINION_LAUNCH_COUNT: 3\nextra: [-p x, -C y]\nminion_launch_zone: a\n")
    assert load({}, {}, here).warnings == ()


def test_minion_launch_reads_its_own(tmp_path):
    """What its flags take several times may be lists."""
    from minionize.settings import launching

    here = write(
        tmp_path, "walltime: 2h\nextra: [-p x, -C y]\nbefore:\n- module load gcc\n- ulimit -c 0\nhosts: [a, b]\n"
    )
    settings = load({}, {}, here, extra=launching.TABLE)
    assert settings[launching.WALLTIME] == 7200
    texts = [settings.text(row) for row in (launching.EXTRA, launching.BEFORE, launching.HOSTS)]
    assert texts == ["-p x -C y", "module load gcc\nulimit -c 0", "a,b"]


def test_rows_that_a_program_brings_are_known(tmp_path):
    """As ``extra``."""
    row = Setting("CAVERN_DEPTH", NAME, None, "", group="queue")
    here = write(tmp_path, "cavern-depth: deep\n")
    assert load({}, {}, here, extra=[row])[row] == "deep"
    with pytest.raises(UsageError, match="cavern-depth is not a setting"):
        load({}, {}, here)


def test_values_of_a_calling_program_are_stronger(tmp_path):
    """And the rest stays."""
    settings = load({}, {}, write(tmp_path, "slots: 2\ngrace: 1s\ncommand: a")).with_(MINION_SLOTS="4")
    assert (settings[t.SLOTS_], settings[t.GRACE], settings.project.words()) == (4, 1.0, ("a",))


def test_pyyaml_is_imported_only_where_there_is_a_file(tmp_path, monkeypatch):
    """It costs a minion a fifth of its start."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert load({}, {}, str(tmp_path))[t.HALT] == 0
    with pytest.raises(ImportError):
        load({}, {}, write(tmp_path, "halt: 1"))


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}#&*!|>'\"%@`\\U0x,?~<=\n\t\r \x00\x85\ufeff\ud800é"))))
@example("? a\n: b")
@example("a: !<tag:yaml.org,2002:str> b")
@example("%TAG ! tag:x,2000:\n---\na: !b c")
@example('"\\x0')
def test_whatever_it_holds_it_is_read_or_refused(text):
    """With one line that names the file; never with an error of the parser's own."""
    try:
        entries = yaml_file.parse(text, ".minionize.yml")
        project = Project(".minionize.yml", entries, exists=True)
        for row in t.TABLE:
            project.find(row)
        if project.command:
            assert project.words()
    except UsageError as error:
        assert re.match(r"\.minionize\.yml(:\d+: .| cannot be read as YAML: .)", str(error))
    else:
        assert all(isinstance(entry.key, str) and entry.line >= 1 for entry in entries)
