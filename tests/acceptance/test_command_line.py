"""From a param to a command line: appended forms, templates, hostile params, and what the child is told besides."""

from __future__ import annotations

import json
import os

import pytest

from .harness import RECORD, recorded

APPENDED = [
    ("--alpha 1 'a b'", ["--alpha", "1", "a b"]),
    (r"one\ word", ["one word"]),
    ("", []),
    (7, ["7"]),
    (True, ["true"]),
    (None, ["null"]),
    ([1, "a b", [2, "x"], {"k": 0.5}, None], ["1", "a b", '[2,"x"]', '{"k":0.5}', "null"]),
    ([], []),
    ({"lr": 0.1, "name": "a b", "fast": True, "slow": False, "none": None}, ["--lr=0.1", "--name=a b", "--fast"]),
    ({"layers": [1, 2], "opt": {"k": "v"}}, ["--layers=[1,2]", '--opt={"k":"v"}']),
    ({}, []),
]

#: Params that no shell may ever see; each is to arrive as it is.
HOSTILE = [
    """it's "quoted" \\ twice""",
    "$(touch pwned) `touch pwned` ; touch pwned",
    "two\nlines\tand\ra\x1b[31mcolour",
    "ünïcödé ☃ 𝄞",
    "",
    "-n",
    "--help",
    "* ? [a-z] ~ $HOME",
    "{seed} {{ }} ${x}",
    "%s %n \\0",
]


def test_the_appended_form_of_each_kind_of_param(here):
    """Strings are split like a command line, lists item by item, objects as options, all else is its JSON text."""
    here.put_lines(*(param for param, _ in APPENDED))
    assert here.minionize(here.script("record", RECORD), "first").code == 0
    assert recorded(here) == [[b"first", *(word.encode() for word in words)] for _, words in APPENDED]


def test_a_number_keeps_the_digits_that_were_typed(here):
    """Appended, filled in, within an object or a list, and in what the child is told."""
    here.put("0.10", "1e-5", "[0.10]", '{"lr":1E-5,"big":123456789012345678901234567890}')
    record = here.script("record", 'printf "%s\\0" "$(($# + 1))" "$@" "$MINION_PARAM" >> argv')
    assert here.minionize(record).code == 0
    assert recorded(here) == [
        [b"0.10", b"0.10"],
        [b"1e-5", b"1e-5"],
        [b"0.10", b"[0.10]"],
        [b"--lr=1E-5", b"--big=123456789012345678901234567890", b'{"lr":1E-5,"big":123456789012345678901234567890}'],
    ]


def test_a_template_takes_what_it_names(here):
    """The whole param, its fields, the slot and the id; doubled braces are braces, and other braces are left alone."""
    here.put_lines({"seed": 7, "name": "a b"})
    [(id, *_)] = here.tasks()
    words = ["{}", "{seed}", "--n={name}/{seed}.dat", "{slot}", "{id}", "{{seed}}", "${seed}", "{print $1}", "{ }"]
    assert here.minionize(here.script("record", RECORD), *words).code == 0
    [run] = recorded(here)
    whole = b'{"seed":7,"name":"a b"}'
    assert run == [whole, b"7", b"--n=a b/7.dat", b"0", id.encode(), b"{seed}", b"${seed}", b"{print $1}", b"{ }"]


def test_the_slot_and_the_id_take_no_param(here):
    """With them alone it is appended; a field of that name is the param's own."""
    here.put_lines(5, {"slot": "mine", "id": "too"})
    assert here.minionize(here.script("record", RECORD), "{slot}", "x{id}").code == 0
    [first, *_], [second, *_] = here.tasks()
    assert recorded(here) == [[b"0", b"x" + first.encode(), b"5"], [b"mine", b"xtoo"]]
    assert second != first


def test_without_templates_braces_mean_nothing(here):
    """The param is appended."""
    here.put("5")
    assert here.minionize("--no-template", here.script("record", RECORD), "{}", "{x}", "{{").code == 0
    assert recorded(here) == [[b"{}", b"{x}", b"{{", b"5"]]


def test_a_string_is_one_argument_where_it_is_asked_for(here):
    """And two where it is appended."""
    here.put("a b")
    assert here.minionize(here.script("record", RECORD), "{}").code == 0
    assert recorded(here) == [[b"a b"]]


def test_the_command_itself_may_come_from_the_param(here):
    """Then it is looked for when the param is there; one that is not found is a failure of its task."""
    record = here.script("record", RECORD)
    here.put_lines({"program": record}, {"program": "./recrod"})
    assert here.minionize("{program}", "x", MINION_MAX_ATTEMPTS="1").code == 1
    assert recorded(here) == [[b"x"]]
    [(id, *_)] = here.tasks("--state", "dead")
    assert "command not found: ./recrod" in here.show(id)


def test_options_end_at_the_command(here):
    """What follows is the command's own; ``--`` may stand between."""
    here.put("1", "2")
    record = here.script("record", RECORD)
    assert here.minionize("--max-tasks", "1", record, "--help", "-q", "--").code == 99
    assert here.minionize("-j", "1", "--", record, "--version").code == 0
    assert recorded(here) == [[b"--help", b"-q", b"--", b"1"], [b"--version", b"2"]]


def test_hostile_params_arrive_unchanged(here):
    """No shell, no expansion, no lost newline."""
    here.put_lines(*HOSTILE)
    assert here.minionize(here.script("record", RECORD), "{}").code == 0
    assert recorded(here) == [[param.encode()] for param in HOSTILE]
    assert "pwned" not in here.names()


def test_hostile_fields_arrive_unchanged(here):
    """Filled in within a word, and appended as options."""
    here.put_lines(*({"p": param} for param in HOSTILE))
    assert here.minionize(here.script("record", RECORD), "<{p}>", "{}").code == 0
    assert [run[0] for run in recorded(here)] == [b"<" + param.encode() + b">" for param in HOSTILE]
    (here.path / "argv").unlink()
    here.put_lines(*({"q": param} for param in HOSTILE))
    assert here.minionize(here.path / "record").code == 0
    assert recorded(here) == [[b"--q=" + param.encode()] for param in HOSTILE]


def test_bytes_that_are_no_text_arrive_unchanged(here):
    """From a file of lines, and from standard input as params."""
    lines = [b"caf\xe9", b"\xff\xfe", b"\xed\xb3\xbf"]
    here.write("params.txt", b"".join(line + b"\n" for line in lines))
    here.put("-f", "params.txt")
    record = here.script("record", RECORD)
    assert here.minionize(record, "{}").code == 0
    assert recorded(here) == [[line] for line in lines]
    here.minionize(record, "{}", input=b"caf\xe9\n", MINION_ENGINE="file")
    assert recorded(here)[3:] == [[b"caf\xe9"]]
    assert here.run("minion-status").code == 0


@pytest.mark.parametrize(
    ("param", "words", "said"),
    [
        ("a\0b", ["{}"], "NUL"),
        ("it's", [], "no command line"),
        ("x" * 200_000, ["{}"], "MINION_PARAM_FILE"),
    ],
)
def test_a_param_that_makes_no_command_line_is_dead(here, param, words, said):
    """At once, with the reason and what to do; the others run."""
    here.put_lines(param, "fine")
    done = here.minionize(here.script("record", RECORD), *words)
    assert done.code == 1
    assert recorded(here) == [[b"fine"]]
    [(id, _, attempt, _)] = here.tasks("--state", "dead")
    assert attempt == 1
    assert said in here.show(id)
    assert said in done.err
    assert "\0" not in here.show(id)


def test_a_field_that_the_first_param_lacks_is_a_mistake_in_the_command(here):
    """Nothing is run, what was taken is given back, exit 2, and the fields there are are named."""
    here.put_lines({"seed": 1, "alpha": 2}, {"seed": 2})
    done = here.minionize(here.script("record", RECORD), "{sede}")
    assert done.code == 2
    assert "has no field sede" in done.err
    assert "seed, alpha" in done.err
    assert recorded(here) == []
    assert [task[1:3] for task in here.tasks()] == [("pending", 1)] * 2


def test_a_field_that_a_later_param_lacks_kills_that_param(here):
    """It is dead with the reason, and the others run."""
    here.put_lines({"seed": 1}, {"sede": 2}, {"seed": 3})
    assert here.minionize(here.script("record", RECORD), "{seed}").code == 1
    assert recorded(here) == [[b"1"], [b"3"]]
    [(id, *_)] = here.tasks("--state", "dead")
    assert "the param has no field seed; its fields: sede" in here.show(id)


def test_quiet_says_why_it_could_not_go_on(here):
    """An error is heard, whatever else is not."""
    here.put_lines({"seed": 1})
    done = here.minionize("-q", "true", "{sede}")
    assert done.code == 2
    assert "has no field sede" in done.err


def test_the_child_is_told_about_its_task(here):
    """By its environment; what was in the minion's own is still there."""
    names = ["MINION_PARAM", "MINION_TASK_ID", "MINION_ATTEMPT", "MINION_ID", "MINION_SLOT", "MINE"]
    tell = here.script("tell", f'for name in {" ".join(names)}; do eval echo "\\$$name"; done')
    here.put_lines({"seed": 7})
    done = here.minionize(tell, MINE="kept", MINION_PARAM="another one's", MINION_PARAM_FILE="another one's")
    [(id, *_)] = here.tasks()
    [started] = here.events("minion_start")
    assert done.out.splitlines() == ['{"seed":7}', id, "1", started["minion"], "0", "kept"]


def test_a_child_knows_its_attempt_and_its_slot(here):
    """From 1, and from 0 to the number of slots."""
    gate = here.gate()
    here.put("a", "b")
    again = here.script(
        "again", 'echo "$MINION_ATTEMPT $MINION_SLOT" >> told; read _ < gate; [ $MINION_ATTEMPT = 2 ] || kill -SEGV $$'
    )
    minion = here.start("minionize", "-j", "2", again, MINION_BACKOFF="0.01s")
    here.wait_for_lines("told", 2)
    gate.open()
    assert minion.wait().code == 0
    told = here.lines("told")
    assert sorted(told[:2]) == ["1 0", "1 1"]
    assert [line.split()[0] for line in told[2:]] == ["2", "2"]


def test_a_param_too_large_for_the_environment_is_in_a_file(here):
    """Above 64 KiB of JSON; the file is gone when the task has ended."""
    here.put_lines({"n": 1, "text": "é" * 40_000}, {"n": 2})
    read = here.script(
        "read",
        'echo "$1 ${MINION_PARAM-none} ${MINION_PARAM_FILE+a file}"; cat ${MINION_PARAM_FILE-/dev/null} > param.$1',
    )
    done = here.minionize(read, "{n}")
    assert done.out.splitlines() == ["1 none a file", '2 {"n":2} ']
    assert json.loads((here.path / "param.1").read_bytes()) == {"n": 1, "text": "é" * 40_000}


def test_what_a_child_writes_to_its_result_file_is_kept(here):
    """As JSON where it is JSON, else as text; with the task, and in its event."""
    here.put('{"score": 0.5}', "plain words", "")
    leave = here.script("leave", 'printf %s "$1" > "$MINION_RESULT_FILE"')
    assert here.minionize(leave, "{}").code == 0
    assert [event["result"] for event in here.events()] == [{"score": 0.5}, "plain words", None]
    first, second, third = (here.show(task[0]) for task in here.tasks())
    assert '\nresult   {"score":0.5}\n' in first
    assert '\nresult   "plain words"\n' in second
    assert "\nresult" not in third


def test_a_result_belongs_to_its_task(here):
    """One that leaves none gets none, also in the slot of one that left some; of a long one, 64 KiB are kept."""
    here.put("1", "2", "3")
    leave = here.script(
        "leave", '[ $1 = 2 ] || head -c $((100000 * $1)) /dev/zero | tr "\\0" x > "$MINION_RESULT_FILE"'
    )
    assert here.minionize(leave).code == 0
    assert [event["result"] and len(event["result"]) for event in here.events()] == [65536, None, 65536]


def test_a_command_in_another_directory_runs_in_this_one(here):
    """As a shell would run it: by its path, or found along PATH."""
    tools = here.path / "tools"
    tools.mkdir()
    here.script("tools/where", "pwd; echo $1")
    here.put("1")
    assert here.minionize("where", PATH=f"{tools}:{os.environ['PATH']}").out == f"{here.path}\n1\n"
    here.put("2")
    assert here.minionize("tools/where").out == f"{here.path}\n2\n"


def test_a_script_without_its_first_line_is_run_by_the_shell(here):
    """As shells and ``xargs`` do."""
    here.put("1")
    (here.path / "bare").write_text("echo from a shell $1\n", encoding="ascii")
    (here.path / "bare").chmod(0o755)
    assert here.minionize("./bare").out == "from a shell 1\n"
