"""``--print-completion`` in the shells that it is for."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from servers.need import lacking

from .terminal import Terminal

COMMANDS = ("minionize", "minion-queue", "minion-status", "minion-launch")
#: What is typed, and what it becomes with a TAB behind it: options, verbs, their values, files; then the minion's command.
TYPED = [
    ("minion-launch slurm --bes", "minion-launch slurm --besteffort"),
    ("minion-launch dr", "minion-launch drain"),
    ("minion-status --wai", "minion-status --wait"),
    ("minion-status --csv ta", "minion-status --csv tasks"),
    ("minion-status --color=al", "minion-status --color=always"),
    ("minion-status --html ou", "minion-status --html out.html"),
    ("minion-status rep", "minion-status reports/"),
    ("minion-queue pu", "minion-queue put"),
    ("minion-queue put --ag", "minion-queue put --again"),
    ("minion-queue put -f par", "minion-queue put -f params.csv"),
    ("minion-queue list --state de", "minion-queue list --state de"),
    ("minion-queue list --state dea", "minion-queue list --state dead"),
    ("minion-queue copy --from spo", "minion-queue copy --from spool"),
    ("minionize --ignore-f", "minionize --ignore-failures"),
    ("minionize --reporter js", "minionize --reporter json"),
    ("minionize -j 4 ./sim", "minionize -j 4 ./simulate.sh"),
    ("minionize -j 4 cat para", "minionize -j 4 cat params.csv"),
    ("minionize cat --reporter js", "minionize cat --reporter js"),
]
#: Acts as bash does when TAB is typed, and prints what it would offer.
BASH = r"""
compopt() { :; }
offer() {
    COMP_LINE=$1; read -ra COMP_WORDS <<< "${1//=/ = }"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    local name=${COMP_WORDS[0]}
    "_${name//-/_}" && printf '%s\n' "${COMPREPLY[@]}"
}
"""


@pytest.fixture
def scripts(here):
    """Print the scripts of a shell into files; returns what does so, and their names."""
    here.write("params.csv", "seed\n1\n")
    here.write("out.html", "")
    here.script("simulate.sh", "true")
    (here.path / "reports").mkdir()

    def write(shell):
        if shutil.which(shell) is None:
            lacking(f"{shell} is not installed")
        return [here.write(f"{name}.{shell}", here.run(name, "--print-completion", shell).out) for name in COMMANDS]

    return write


def completed(typed, offers):
    """Do what a shell does with what is offered: put the longest beginning that all share."""
    word = re.split(r"[ =]", typed)[-1]
    fitting = sorted(offer for offer in offers if offer.startswith(word))
    if not fitting:
        return typed
    first, last = fitting[0], fitting[-1]
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return typed[: len(typed) - len(word)] + first[:same]


def test_bash(scripts, here):
    """The function that it calls."""
    sources = "".join(f". ./{name}\n" for name in scripts("bash"))
    for typed, wanted in TYPED:
        done = here.run("bash", "--norc", "-c", f"{sources}{BASH}offer {typed!r}")
        assert done.err == ""
        assert completed(typed, done.out.splitlines()) == wanted.rstrip("/")


def test_fish(scripts, here):
    """What it says that it would offer."""
    sources = "".join(f"source ./{name}; " for name in scripts("fish"))
    for typed, wanted in TYPED:
        done = here.run("fish", "--no-config", "-c", f"{sources}complete -C {typed!r}")
        assert done.err == ""
        offers = [line.partition("\t")[0] for line in done.out.splitlines()]
        offers = [offer.partition("=")[2] if "=" in typed and "=" in offer else offer for offer in offers]
        assert completed(typed, offers) == wanted, offers


def test_zsh(scripts, here):
    """Typed in it; the widget on Ctrl-X prints the line as it is then."""
    names = scripts("zsh")
    terminal = Terminal(here, "zsh", "-f", "-i", columns=200)
    try:
        terminal.types("setopt no_beep; autoload -U compinit; compinit -u -D\n")
        terminal.types("show() { print -r -- \"<$BUFFER>\"; BUFFER=; zle -I }; zle -N show; bindkey '^X' show\n")
        terminal.types("".join(f"source ./{name}; " for name in names) + "echo re''ady\n")
        place = terminal.until("ready")
        for typed, wanted in TYPED:
            terminal.types(f"{typed}\t\x18")
            before, place = place, terminal.until(">", terminal.until(f"<{typed}", place))
            line = terminal.drawn[before:place].rpartition("<")[2]
            assert line.rstrip("> ") == wanted
    finally:
        terminal.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_verb_is_in_every_script(here, command):
    """They are made from the same parser as the help."""
    help = here.run(command, "--help").out
    options = set(re.findall(r"^  (?:-\w(?: \S+)?, )?(--[a-z][a-z-]+)", help, re.MULTILINE))
    verbs = set(re.findall(r"^    ([a-z]+)  ", help.partition("\nverbs:")[2], re.MULTILINE))
    assert "--version" in options
    for shell in ("bash", "zsh", "fish"):
        script = here.run(command, "--print-completion", shell).out
        for option in options:
            assert (f"-l {option[2:]} " if shell == "fish" else option) in script
        for verb in verbs:
            assert re.search(rf"\b{verb}\b", script)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_what_the_shell_understands(scripts, here, shell):
    """By its own check of the syntax."""
    for name in scripts(shell):
        done = subprocess.run(
            [shell, "-n", name], cwd=here.path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_named(here):
    """With those there are."""
    done = here.run("minion-status", "--print-completion", "tcsh")
    assert done.code == 2
    assert "'tcsh' (choose from" in done.err
