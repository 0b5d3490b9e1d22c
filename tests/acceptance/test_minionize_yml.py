"""A directory that says itself what minions do there: ``minionize`` alone is enough."""

from __future__ import annotations

import os
import re
import sys

import pytest
from servers import podman

from .harness import Place

COMMAND = "command: echo said {n}\n"


@pytest.fixture
def filled(here):
    """Return a place with a queue of two params."""
    here.put("n=1..2")
    return here


def config(here, *words, **environ):
    """Return what ``--show-config`` prints: value and source by name."""
    done = here.minionize("--show-config", *words, **environ)
    assert (done.code, done.err) == (0, "")
    return {row[0]: tuple(row[1:]) for row in (re.split("  +", line) for line in done.out.splitlines())}


def test_minionize_alone_does_what_the_file_says(filled):
    """The command and how it is run; the events tell of that command."""
    filled.write(".minionize.yml", f"{COMMAND}slots: 2\nREPORTER_JSON_DIRECTORY: minion-report\nmax-tasks: 5\n")
    done = filled.minionize()
    assert done.code == 0, done.err
    assert sorted(done.out.splitlines()) == ["said 1", "said 2"]
    assert "2 at a time" in done.err
    (start,) = filled.events("minion_start")
    assert (start["command"], start["slots"]) == (["echo", "said", "{n}"], 2)
    assert filled.books() == {"done": 2}


def test_a_command_line_is_stronger_than_the_file(filled):
    """Its words take the command's place, its flags that of settings; the other settings stay."""
    filled.write(".minionize.yml", f"{COMMAND}max-tasks: 1\noutput: none\n")
    assert filled.minionize("--output", "live", "echo", "typed", "{n}").out == "typed 1\n"
    assert filled.minionize("--output", "live").out == "said 2\n"


def test_a_list_is_run_word_by_word(filled):
    """No shell, no splitting; what looks like a number or a truth to YAML is the text that it is."""
    filled.write(".minionize.yml", "command:\n- printf\n- '%s|'\n- a b\n- 0.10\n- no\n- '{n}'\n- $HOME\n")
    assert filled.minionize().out == "a b|0.10|no|1|$HOME|a b|0.10|no|2|$HOME|"


def test_a_dry_run_shows_it_and_the_doctor_examines_it(filled):
    """Each with the command of the file."""
    filled.write(".minionize.yml", COMMAND)
    assert filled.minionize("-n").out == "echo said 1\necho said 2\n"
    told = filled.minionize("--doctor").out
    assert re.search(r"^ok    command  /\S+/echo   \(\./\.minionize\.yml:1\)$", told, re.MULTILINE), told
    assert "ok    settings ./.minionize.yml, and the environment" in told
    filled.write(".minionize.yml", "command: ./a.oot")
    done = filled.minionize("--doctor")
    assert (done.code, "FAIL  command  command not found: ./a.oot" in done.out) == (1, True)
    done = filled.minionize()
    assert (done.code, done.err.splitlines()[0][:41]) == (127, "minionize: command not found: ./a.oot   (")
    assert filled.books() == {"pending": 2}


def test_the_configuration_names_file_and_line(here):
    """Flag before environment before ``.env`` before the file before the default."""
    here.write(".minionize.yml", "\nslots: 4\ngrace: 3s\nlease: 90s\ncommand: ./a 'b c'\nhalt: 2\nmount: [/a, /b]\n")
    here.write(".env", "MINION_LEASE=80s\n")
    rows = config(here, "--grace", "1s", MINION_HALT="1")
    assert rows["MINION_SLOTS"] == ("4", "./.minionize.yml:2")
    assert rows["MINION_GRACE"] == ("1s", "flag --grace")
    assert rows["MINION_LEASE"] == ("80s", "./.env")
    assert rows["MINION_HALT"] == ("1", "environment")
    assert rows["MINION_MOUNT"] == ("/a,/b", "./.minionize.yml:7")
    assert rows["MINION_BACKOFF"] == ("1s", "default")
    assert rows["command"] == ("./a 'b c'", "./.minionize.yml:5")
    assert config(here, "./b", "{n}")["command"] == ("./b '{n}'", "command line")


def test_every_command_reads_it(here):
    """The queue, the reports, their colours: all from one file; nothing reaches the children."""
    here.write(".minionize.yml", "command: sh -c 'echo ${SQLITE_PATH-none}'\nSQLITE_PATH: mine.db\nreporter: json\n")
    here.put("a")
    assert here.minionize("-q").out == "none\n"
    assert here.run("minion-queue", "show").out.startswith("mine.db")
    assert here.run("minion-status").out.startswith("mine.db (sqlite)")
    done = here.run("minion-queue", "show", SQLITE_PATH="other.db")
    assert (done.code, "there is no queue at other.db" in done.err) == (2, True)


@pytest.mark.parametrize("command", [["minionize"], ["minionize", "true"], ["minion-queue", "show"], ["minion-status"]])
def test_a_mistake_stops_every_command(filled, command):
    """Exit code 2, with file, line and key; nothing is run."""
    for text, said in (
        ("slotz: 4\n", "slotz is not a setting. Did you mean slots?"),
        ("slots: 4\nslots: 4\n", "slots stands there already"),
        ("slots: '\n", "it is not closed"),
    ):
        filled.write(".minionize.yml", text)
        done = filled.run(*command)
        assert (done.code, done.out) == (2, "")
        assert re.match(rf"{command[0]}( show)?: \./\.minionize\.yml:\d: {said}", done.err.replace("  ", " ")), done.err
    os.unlink(filled.path / ".minionize.yml")
    assert filled.books() == {"pending": 2}


def test_help_is_there_whatever_the_file_says(here):
    """Who made a mistake wants to read it."""
    here.write(".minionize.yml", "slots: '\n")
    assert here.minionize("--help").code == 0


@pytest.mark.parametrize("text", [None, "slots: 2\n", ""])
def test_with_no_command_anywhere_usage_is_shown(filled, text):
    """And that a file can say it; one that does not is named."""
    if text is not None:
        filled.write(".minionize.yml", text)
    done = filled.minionize()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: minionize [OPTIONS] [--] COMMAND [ARG...]")
    assert "may keep its command and settings in .minionize.yml" in done.err
    assert ("./.minionize.yml is there, but names no command" in done.err) == (text is not None)


def test_a_file_above_is_not_looked_for(filled, tmp_path):
    """It is for the directory that it is in."""
    filled.write(".minionize.yml", COMMAND)
    below = Place(tmp_path, str(filled.path / "below"))
    done = below.minionize()
    assert (done.code, done.err[:6]) == (2, "usage:")


def test_a_minion_in_python_takes_its_settings(filled):
    """But not its command: the program says what to run."""
    filled.write(".minionize.yml", f"{COMMAND}max-tasks: 1\n")
    filled.write(
        "run.py",
        "from minionize import ProcessCallback, minionizer\n"
        "class Echo(ProcessCallback):\n"
        "    def to_cmd(self, param):\n"
        "        return ['echo', 'called', str(param['n'])]\n"
        "raise SystemExit(minionizer(Echo()).run())\n",
    )
    done = filled.run(sys.executable, "run.py")
    assert (done.code, done.out) == (99, "called 1\n"), done.err


def test_a_secret_in_it_is_warned_of(filled):
    """Where the file is likely to be committed; it is not shown."""
    filled.write(".minionize.yml", f"{COMMAND}PULSAR_TOKEN: hunter2\n")
    done = filled.minionize("-n")
    assert done.code == 0
    assert 'minionize: PULSAR_TOKEN="***" (./.minionize.yml:2) is a secret' in done.err
    assert "hunter2" not in filled.minionize("--show-config").out + done.err


def test_a_plug_in_is_chosen_and_set_by_it(filled, tmp_path):
    """Its rows are keys; so they are where another engine is chosen for once. One that is not installed is said first."""
    text = f"{COMMAND}engine: cavern\ncavern-depth: 9\n"
    filled.write(".minionize.yml", text)
    done = filled.minionize("-n")
    assert done.code == 2
    assert done.err.startswith('minionize: engine="cavern" (./.minionize.yml:2) is not an engine.')

    info = tmp_path / "packages" / "cavern-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cavern\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[minionize.engines]\ncavern = cavern:Cavern\n")
    (info.parent / "cavern.py").write_text(
        "from minionize.settings import Setting\n"
        "from minionize.settings.setting import COUNT\n"
        "class Cavern:\n"
        "    settings = (Setting('CAVERN_DEPTH', COUNT, '7', 'How deep it is', group='queue'),)\n"
        "    from_settings = put = exchange = renew = counts = wake = close = print\n"
    )
    environ = {"PYTHONPATH": str(info.parent)}
    assert config(filled, **environ)["CAVERN_DEPTH"] == ("9", "./.minionize.yml:3")
    assert "CAVERN_DEPTH" in filled.minionize("--help", **environ).out
    assert filled.minionize("--engine", "sqlite", "-n", **environ).out == "echo said 1\necho said 2\n"
    filled.write(".minionize.yml", text.replace("depth", "depht"))
    done = filled.minionize("-n", **environ)
    assert done.err.startswith(
        "minionize: ./.minionize.yml:3: cavern-depht is not a setting. Did you mean CAVERN_DEPTH?"
    )


def test_a_function_is_called(filled):
    """It is found in the directory of the file; a command that is typed is run in its place."""
    filled.write("model.py", "def simulate(n):\n    print('called', n)\n")
    filled.write(".minionize.yml", "function: model.py:simulate\nmax-tasks: 1\n")
    assert filled.minionize("-n").out == "simulate(n=1)\nsimulate(n=2)\n"
    done = filled.minionize()
    assert (done.code, done.out) == (99, "called 1\n"), done.err
    assert filled.minionize("echo", "typed", "{n}").out == "typed 2\n"


def test_a_command_runs_in_the_image_of_the_file(here):
    """With the file's mounts and network; a typed command is run there too, and a function in the place of both."""
    store = podman.shared()
    environ = store.environment | {"MINION_RUNTIME": "podman"}
    here.put("n=1..3")
    here.write("model.py", "def simulate(n):\n    print('called', n)\n")
    here.write(
        ".minionize.yml",
        f"image: {podman.IMAGE}\ncommand: sh -c 'echo $0 in $(cat /here/name) as $(id -u)' {{n}}\n"
        "mounts: [.:/here:ro]\nnetwork: none\nmax-tasks: 1\n",
    )
    here.write("name", "a container\n")
    assert config(here, **environ)["MINION_MOUNT"] == (".:/here:ro", "./.minionize.yml:3")
    done = here.minionize(**environ)
    assert (done.code, done.out) == (99, f"1 in a container as {os.getuid()}\n"), done.err
    (start,) = here.events("minion_start")
    assert podman.IMAGE in start["command"]
    done = here.minionize("sh", "-c", "ls /here/name; echo $0", "{n}", **environ)
    assert (done.code, done.out) == (99, "/here/name\n2\n"), done.err
    assert here.minionize("--python", "model.py:simulate", **environ).out == "called 3\n"
    assert here.books() == {"done": 3}
    assert store.containers(start["minion"]) == []


def test_a_function_beside_a_command_is_an_error(filled):
    """Both are named, with their lines; nothing is run."""
    filled.write(".minionize.yml", f"{COMMAND}python: os.path:exists\n")
    done = filled.minionize()
    said = 'python="os.path:exists" (./.minionize.yml:2) and command (./.minionize.yml:1): a minion runs one of them.'
    assert (done.code, done.out, done.err) == (2, "", f"minionize: {said}\n")
    assert filled.books() == {"pending": 2}
