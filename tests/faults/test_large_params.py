"""Params that are large or strange: they reach the command unharmed, or are dead with a reason."""

from __future__ import annotations

import json
import os

import pytest
from harness import wait_for_lines

MEBIBYTE = 1 << 20


def fill(camp, *params):
    """Put params that are no words of a command line."""
    (camp.path / "params.jsonl").write_text("".join(json.dumps(param) + "\n" for param in params))
    put = camp.queue("put", "-f", "params.jsonl")
    assert put.code() == 0, put.err


def test_a_large_param_comes_in_a_file(camp):
    """5 MB of JSON: MINION_PARAM_FILE names it, MINION_PARAM is not set, and a small one afterwards is as always."""
    large = {"name": "large", "blob": "x" * (5 * MEBIBYTE)}
    fill(camp, large, {"name": "small", "blob": "y"})
    command = camp.script(
        "command",
        'echo "$1 ${MINION_PARAM-none} ${MINION_PARAM_FILE:+file}" >> ran; test "$1" = small || cp "$MINION_PARAM_FILE" copy',
    )
    minion = camp.minion(
        command, "{name}", variables={"MINION_PARAM_FILE": "of an outer minion", "MINION_PARAM": "too"}
    )
    assert minion.code() == 0, minion.err
    assert json.loads((camp.path / "copy").read_text()) == large
    assert camp.runs() == ["large none file", 'small {"name":"small","blob":"y"} ']


def test_the_file_of_a_param_goes_with_its_task(camp):
    """Params of many tasks do not fill the disk, whether they ran or could not."""
    gate = camp.gate()
    fill(camp, {"n": 1, "x": "x" * MEBIBYTE}, {"n": "y" * MEBIBYTE}, {"n": 2, "x": "x" * MEBIBYTE})
    command = camp.script("command", 'echo "$1" >> ran; test "$1" = 1 || read _ < gate')
    minion = camp.minion(command, "{n}")
    wait_for_lines(camp.ran, 2)
    (directory,) = (camp.path / "scratch").iterdir()
    assert len(list(directory.glob("*.param"))) == 1
    gate.open()
    assert minion.code() == 1, minion.err
    assert os.listdir(camp.path / "scratch") == []


@pytest.mark.parametrize("words", [["{}"], [], ["{blob}"]])
def test_an_argument_that_the_kernel_does_not_take_is_dead_with_the_reason(camp, words):
    """It says how long it was, and what to do; the other tasks are done."""
    fill(camp, {"blob": "x" * MEBIBYTE}, {"blob": "y"})
    minion = camp.minion(camp.script("command", "echo >> ran"), *words)
    assert minion.code() == 1, minion.err
    assert len(camp.runs()) == 1
    (dead,) = [entry for entry in camp.all_entries() if entry.state == "dead"]
    assert dead.attempt == 1
    assert dead.failure.kind == "param"
    assert "more than the kernel takes" in dead.failure.reason
    assert "MINION_PARAM_FILE" in dead.failure.reason
    assert dead.failure.reason.split("argument of ")[1].startswith("10485")


def test_an_environment_that_the_kernel_does_not_take_is_no_crash(camp):
    """Many arguments, each of them short, are too long together."""
    fill(camp, ["x" * 1000] * 4000, ["y"])
    minion = camp.minion(camp.script("command", "echo >> ran"))
    assert minion.code() == 1, minion.err
    assert len(camp.runs()) == 1
    assert camp.counts().dead == 1


STRANGE = [
    "",
    " ",
    "a\nb\n",
    'it\'s "quoted" `date` $(date) $HOME \\ ; & | * ?',
    "h\u00e9 \u2603 \U0001f600",
    "-rf",
    "{} {x} {{}}",
    "\t\r\x01\x7f",
]


def test_strange_params_reach_the_command_as_they_are(camp):
    """One argument each, whatever is in it: there is no shell between."""
    fill(camp, *STRANGE)
    command = camp.script("command", 'printf "%s\\0" "$#" "$1" >> got')
    minion = camp.minion(command, "{}")
    assert minion.code() == 0, minion.err
    assert (camp.path / "got").read_bytes().decode().split("\0")[:-1] == [
        word for param in STRANGE for word in ("1", param)
    ]


def test_a_param_with_a_nul_is_dead_with_the_reason(camp):
    """No program can be given one; the minion goes on."""
    fill(camp, "nul \0 nul", "good")
    minion = camp.minion(camp.script("command", 'echo "$1" >> ran'), "{}")
    assert minion.code() == 1, minion.err
    assert camp.runs() == ["good"]
    assert "NUL" in camp.entries()["nul \0 nul"].failure.reason


def test_an_unbalanced_quote_is_dead_with_the_reason(camp):
    """Where the param would be split like a command line it is none."""
    fill(camp, "it's", "good")
    minion = camp.minion(camp.script("command", 'echo "$1" >> ran'))
    assert minion.code() == 1, minion.err
    assert camp.runs() == ["good"]
    failure = camp.entries()["it's"].failure
    assert failure.kind == "param"
    assert "quot" in failure.reason


def test_a_result_that_is_large_or_no_json_is_kept_as_text(camp):
    """64 KiB of it at most; a fifo or a link in its place is nothing."""
    command = camp.script(
        "command",
        """case $1 in
        json) echo '{"a": 1.0}' > "$MINION_RESULT_FILE" ;;
        text) echo 'no json' > "$MINION_RESULT_FILE" ;;
        large) yes | head -c 1000000 > "$MINION_RESULT_FILE" ;;
        fifo) mkfifo "$MINION_RESULT_FILE" ;;
        link) ln -s /etc/passwd "$MINION_RESULT_FILE" ;;
        directory) mkdir "$MINION_RESULT_FILE" ;;
        nothing) : ;;
        esac""",
    )
    camp.put("json", "text", "large", "fifo", "link", "directory", "nothing")
    minion = camp.minion(command)
    assert minion.code() == 0, minion.err
    results = {param: entry.result and json.loads(entry.result) for param, entry in camp.entries().items()}
    assert results["json"] == {"a": 1.0}
    assert results["text"].strip() == "no json"
    assert results["large"] == "y\n" * 32768
    assert [results[name] for name in ("fifo", "link", "directory", "nothing")] == [None] * 4
