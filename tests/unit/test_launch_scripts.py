"""What schedulers are given: the scripts of launches, word by word, and what must never get into them."""

from __future__ import annotations

import subprocess

import pytest
from acceptance.harness import until

from minionize.errors import LaunchRefused, UsageError
from minionize.launchers.base import Plan
from minionize.launchers.local import LocalLauncher
from minionize.launchers.oar import OarLauncher
from minionize.launchers.slurm import SlurmLauncher
from minionize.launchers.ssh import SshLauncher

PLAN = Plan(
    id="l00f00d",
    name="sweep",
    size=10,
    directory="/home/ana/sweep",
    logs="/home/ana/sweep/minion-launch/l00f00d",
    argv=("/home/ana/venv/bin/minionize", "--", "./a.out", "{seed}"),
    exports={"MINION_TIMEOUT": "5m", "MINION_GRACE": "18s"},
    path="/home/ana/venv/bin",
    before="module load gcc",
    slots=4,
    walltime=5400.0,
)
#: The part that is the same everywhere.
BODY = """\
cd /home/ana/sweep || exit 71
PATH=/home/ana/venv/bin:$PATH
export PATH
export MINION_TIMEOUT=5m
export MINION_GRACE=18s
module load gcc
"""
#: Words that a shell would take apart, or for something else.
ODD = ("it's", 'a "b"', "$HOME `id`", "a\nb", "", "*", "é\udcff", "--x=1 2", "#OAR", "\\")


def printed(script):
    """Run a script whose minion prints its arguments, each with a NUL behind it; returns the arguments."""
    done = subprocess.run(["/bin/sh"], input=script.encode(errors="surrogateescape"), capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def test_an_array_of_slurm():
    """Everything is in the script, so that it can be kept and submitted by hand."""
    assert SlurmLauncher().script(PLAN) == (
        """\
#!/bin/sh
#SBATCH --job-name=sweep
#SBATCH --comment=minion-launch:l00f00d
#SBATCH --chdir=/home/ana/sweep
#SBATCH --output=/home/ana/sweep/minion-launch/l00f00d/%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
#SBATCH --array=0-9
#SBATCH --time=1:30:00
#SBATCH --cpus-per-task=4

[ ! -e /home/ana/sweep/minion-launch/l00f00d/closed ] || exit 0
"""
        + BODY
        + "exec /home/ana/venv/bin/minionize -- ./a.out '{seed}'\n"
    )


def test_an_array_of_oar():
    """One resource line, and a signal before the kill."""
    assert OarLauncher(best_effort=True).script(PLAN) == (
        """\
#!/bin/sh
#OAR -n sweep
#OAR -O %jobid%.log
#OAR -E %jobid%.log
#OAR --checkpoint 60
#OAR --signal 12
#OAR --array 10
#OAR -t besteffort
#OAR -t idempotent
#OAR -l /nodes=1/core=4,walltime=1:30:00

[ ! -e /home/ana/sweep/minion-launch/l00f00d/closed ] || exit 0
"""
        + BODY
        + "exec /home/ana/venv/bin/minionize -- ./a.out '{seed}'\n"
    )


def test_one_minion_is_a_plain_job():
    """An array of one would be called 12_0."""
    one = PLAN._replace(size=1)
    assert "--array" not in SlurmLauncher().script(one)
    assert "%j.log" in SlurmLauncher().script(one)
    assert "--array" not in OarLauncher().script(one)


def test_a_script_of_a_scheduler_ends_in_exec():
    """A shell that stays would keep the scheduler's signals for itself."""
    for launcher in (SlurmLauncher(), OarLauncher()):
        assert launcher.script(PLAN).splitlines()[-1].startswith("exec /home/ana/venv/bin/minionize ")


def test_a_short_job_is_not_warned_at_its_beginning():
    """A warning a minute before the end of two minutes would leave nothing."""
    assert "--signal=B:USR1@12\n" in SlurmLauncher().script(PLAN._replace(walltime=120.0))
    assert "--signal=B:USR1@1\n" in SlurmLauncher().script(PLAN._replace(walltime=5.0))
    assert "--signal=B:USR1@60\n" in SlurmLauncher().script(PLAN._replace(walltime=None))


@pytest.mark.parametrize(
    ("slots", "resources", "extra", "line"),
    [
        (1, None, (), "#OAR -l /nodes=1/core=1,walltime=1:30:00"),
        (None, None, (), "#OAR -l /nodes=1,walltime=1:30:00"),
        (1, "/host=1/cpu=2", (), "#OAR -l /host=1/cpu=2,walltime=1:30:00"),
        (1, None, ("-l", "/nodes=2"), None),
        (1, None, ("--resource=/nodes=2",), None),
    ],
)
def test_what_oar_is_asked_for(slots, resources, extra, line):
    """Cores of one node; a second -l would be an alternative, so there is none beside the user's own."""
    text = OarLauncher(extra, resources).script(PLAN._replace(slots=slots))
    assert [found for found in text.splitlines() if found.startswith("#OAR -l")] == ([line] if line else [])


def test_a_walltime_is_said_once():
    """OAR would take the one or the other."""
    with pytest.raises(UsageError, match="say the walltime once"):
        OarLauncher((), "/nodes=1,walltime=2").script(PLAN)


@pytest.mark.parametrize("launcher", [SlurmLauncher(), OarLauncher()])
def test_odd_words_stay_what_they_are(launcher, tmp_path):
    """Of the command, of variables, of directories."""
    home = tmp_path / "it's $HOME"
    home.mkdir()
    plan = PLAN._replace(
        directory=str(home),
        logs=str(tmp_path / "logs"),
        argv=("printf", r"%s\0", *ODD),
        exports={"MINION_OUTPUT": "$(id) it's"},
        before="""printf '%s\\0' "$PWD" "$MINION_OUTPUT" """,
    )
    expected = [str(home), "$(id) it's", *ODD]
    assert printed(launcher.script(plan)) == [word.encode(errors="surrogateescape") for word in expected]


def test_odd_words_reach_detached_minions(tmp_path):
    """The program may have blanks in its name; what it says is in its log."""
    program = tmp_path / "it's mine"
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    program.chmod(0o755)
    plan = PLAN._replace(
        size=1, directory=str(tmp_path), logs=str(tmp_path / "$logs"), argv=(str(program), *ODD), before=""
    )
    handle = LocalLauncher().submit(plan)
    until(lambda: LocalLauncher().status(handle, 1)[0].state == "ended", "the end of the minion")
    words = (tmp_path / "$logs" / "0.log").read_bytes().split(b"\0")[:-1]
    assert words == [word.encode(errors="surrogateescape") for word in ODD]


@pytest.mark.parametrize("name", ["directory", "logs"])
def test_a_line_end_makes_no_second_directive(name):
    """A directory may be called anything; a scheduler must not read orders in that."""
    plan = PLAN._replace(**{name: "/home/ana/x\n#SBATCH --partition=gold"})
    with pytest.raises(UsageError, match="line end"):
        SlurmLauncher().script(plan)


def test_quotes_and_percent_signs_in_a_line_for_slurm():
    """It reads quotes much as a shell does, and percent signs in the names of logs."""
    text = SlurmLauncher().script(PLAN._replace(directory="/x/a\\b", logs='/x/50% "a"'))
    assert '#SBATCH --chdir="/x/a\\\\b"' in text
    assert '#SBATCH --output="/x/50%% \\"a\\"/%A_%a.log"' in text


@pytest.mark.parametrize(
    ("launcher", "logs"), [(SlurmLauncher(), "/home/back\\slash/l1"), (OarLauncher(), "/home/it's/l1")]
)
def test_a_directory_that_a_scheduler_cannot_use_is_refused(launcher, logs):
    """Slurm would end the job without a word, OAR would take the node for broken; logs may be elsewhere."""
    with pytest.raises(UsageError, match="--logs DIR"):
        launcher.script(PLAN._replace(logs=logs))
    assert launcher.script(PLAN._replace(directory=logs))


@pytest.mark.parametrize("where", ["argv", "before"])
def test_oar_reads_no_order_in_the_command(where):
    """It looks at every line of the file, also at what is quoted."""
    odd = "a\n#OAR -t besteffort"
    plan = PLAN._replace(**{where: (*PLAN.argv, odd) if where == "argv" else odd})
    with pytest.raises(UsageError, match="begins with #OAR"):
        OarLauncher().script(plan)


def test_hosts_take_minions_in_turn():
    """Ten on three hosts: four, three and three, each with its number."""
    launcher = SshLauncher(("a", "b", "c"))
    told = launcher.commands(PLAN)
    assert [command.argv[-2] for command in told] == ["a", "b", "c"]
    numbers = [[line for line in (command.input or "").splitlines() if line.startswith("for ")] for command in told]
    assert numbers == [["for number in 0 3 6 9; do"], ["for number in 1 4 7; do"], ["for number in 2 5 8; do"]]


def test_hosts_without_a_minion_are_left_alone():
    """Two minions on three hosts."""
    assert len(SshLauncher(("a", "b", "c")).commands(PLAN._replace(size=2))) == 2


def test_a_script_for_hosts_runs_by_hand(tmp_path):
    """Each host is told its own part, whatever stands in it."""
    (tmp_path / "ssh").write_text('#!/bin/sh\nfor word; do :; done\necho "$word"; cat\n')
    (tmp_path / "ssh").chmod(0o755)
    plan = PLAN._replace(argv=("minionize", *ODD))
    launcher = SshLauncher(("a", "b"))
    done = subprocess.run(
        ["/bin/sh"],
        input=launcher.script(plan).encode(errors="surrogateescape"),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    told = "".join(f"exec /bin/sh\n{command.input}" for command in launcher.commands(plan))
    assert done.stdout == told.encode(errors="surrogateescape")


def test_a_login_that_prints_no_line_end(tmp_path):
    """The title of a window, say: who was started is known all the same."""
    program = tmp_path / "minion"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    before = "printf 'no line end'"
    plan = PLAN._replace(
        size=2, directory=str(tmp_path), logs=str(tmp_path / "logs"), argv=(str(program),), before=before
    )
    assert [process["number"] for process in LocalLauncher().submit(plan)["processes"]] == [0, 1]


def test_a_minion_that_could_have_no_log_is_not_started(tmp_path):
    """Nobody would ever know why it ended."""
    (tmp_path / "logs" / "0.log").mkdir(parents=True)
    plan = PLAN._replace(directory=str(tmp_path), logs=str(tmp_path / "logs"), argv=("/bin/true",), before="")
    with pytest.raises(LaunchRefused, match="0.log"):
        LocalLauncher().submit(plan)


def test_another_directory_over_ssh():
    """Logs are below it, unless they are elsewhere."""
    launcher = SshLauncher(("a",), "/mnt/sweep")
    text = launcher.script(PLAN)
    assert "cd /mnt/sweep || exit 71" in text
    assert "mkdir -p /mnt/sweep/minion-launch/l00f00d " in text
    assert "mkdir -p /var/logs/l00f00d " in launcher.script(PLAN._replace(logs="/var/logs/l00f00d"))
