"""Launchers of other packages: found by their names, with options of their own; and what is paid for waits for --apply."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from minionize import plugins
from minionize.cli import launch

MODULE = """
from minionize.errors import LaunchError, LaunchRefused, UsageError
from minionize.launchers.base import Command, Element, Launcher
from minionize.settings.setting import NAME, Setting

ZONE = Setting("MINION_LAUNCH_ZONE", NAME, "north", "Where", flags=("--zone",), group="launch")
submitted = []

class Cloud(Launcher):
    help = "in the clouds"
    settings = (ZONE,)
    spends_money = True

    def __init__(self, zone):
        self.zone = zone

    @classmethod
    def from_settings(cls, settings):
        return cls(settings[ZONE])

    def available(self):
        return "it is foggy" if self.zone == "fog" else ""

    def hosts(self):
        return frozenset()

    def defaults(self):
        return {"MINION_GRACE": "25s"}

    def script(self, plan):
        return f"{plan.size} in {self.zone} {dict(plan.exports)}\\n"

    def commands(self, plan):
        return [Command(("cloud", "create", self.zone))]

    def submit(self, plan):
        if self.zone == "full":
            raise LaunchRefused("no room")
        if self.zone == "odd":
            raise UsageError("no such word")
        if self.zone == "hazy":
            raise LaunchError("no answer")
        submitted.append(plan)
        return {"job": "vm-1"}

    def status(self, handle, count):
        return [Element(n, "pending", f"{handle['job']}-{n}") for n in range(count)]

    def stop(self, handle, *, kill=False):
        submitted.append((handle, kill))

    def drain(self, handle):
        submitted.append(handle)
"""


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """Install a package that brings a launcher, go to a directory with a queue, and return what was submitted."""
    info = tmp_path / "site" / "cloud-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[minionize.launchers]\ncloud = cloud_launcher:Cloud\nlist = cloud_launcher:Cloud\n"
    )
    (tmp_path / "site" / "cloud_launcher.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MINION_SERVICE", "1")  # so that no queue is needed
    from cloud_launcher import submitted

    yield submitted
    sys.modules.pop("cloud_launcher", None)


def test_it_is_a_word_of_the_command(submitted, capsys):
    """With its own options, whose variables count too."""
    assert "cloud" in plugins.names("launcher")
    assert launch.main(["cloud", "-c", "2", "--zone", "south", "--script", "--", "true"]) == 0
    assert capsys.readouterr().out == "2 in south {'MINION_SERVICE': '1', 'MINION_GRACE': '25s'}\n"
    with pytest.raises(SystemExit) as left:
        launch.main(["cloud", "--help"])
    assert left.value.code == 0
    assert "--zone NAME" in capsys.readouterr().out


def test_its_variables_are_no_mistake_and_others_are(submitted, capsys, monkeypatch):
    """A setting with a typo is said, with the one that was meant."""
    monkeypatch.setenv("MINION_LAUNCH_ZONE", "west")
    monkeypatch.setenv("MINION_LAUNCH_ZONES", "east")
    assert launch.main(["cloud", "--script", "--", "true"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("1 in west ")
    assert "MINION_LAUNCH_ZONES (environment) is not a setting, and ignored. Did you mean MINION_LAUNCH_ZONE?" in err


def test_what_others_set_is_stronger_than_its_defaults(submitted, capsys, monkeypatch):
    """From wherever it comes."""
    monkeypatch.setenv("MINION_GRACE", "3s")
    launch.main(["cloud", "--script", "--", "true"])
    assert "'MINION_GRACE': '3s'" in capsys.readouterr().out


def test_what_costs_money_is_only_shown(submitted, capsys):
    """Until it is asked for by name."""
    assert launch.main(["cloud", "--", "true"]) == 0
    out, err = capsys.readouterr()
    assert out == "cloud create north\n"
    assert "nothing was started: it would be paid for. Do it:  the same with --apply" in err
    assert submitted == []
    assert launch.main(["cloud", "--apply", "--", "true"]) == 0
    assert [plan.size for plan in submitted] == [1]


def test_it_is_asked_stopped_and_drained_by_its_own_words(submitted, capsys):
    """What it returned from submit is what it is given."""
    launch.main(["cloud", "--apply", "-c", "2", "--", "true"])
    capsys.readouterr()
    assert launch.main(["status", "vm-1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["number"], one["state"], one["job"]) for one in told["minions"]] == [
        (0, "pending", "vm-1-0"),
        (1, "pending", "vm-1-1"),
    ]
    assert launch.main(["drain", "vm-1"]) == 0
    assert launch.main(["stop", "--kill", "vm-1"]) == 0
    assert submitted[1:] == [{"job": "vm-1"}, ({"job": "vm-1"}, True)]


@pytest.mark.parametrize(
    ("zone", "code", "why"), [("fog", 1, "it is foggy"), ("full", 1, "no room"), ("odd", 2, "no such word")]
)
def test_one_that_cannot_is_passed_over(submitted, capsys, zone, code, why):
    """Whether it knows before, or is told so; nothing is left of the attempt."""
    assert launch.main(["--to", "cloud", "--zone", zone, "--apply", "--", "true"]) == code
    assert capsys.readouterr().err.endswith(f"minion-launch: {why}\n")
    assert launch.main(["list"]) == 0
    assert "nothing was launched yet" in capsys.readouterr().err


def test_one_of_which_nobody_knows_is_remembered(submitted, capsys):
    """It may run; what its launcher cannot recall is told to leave all the same, and others are ended too."""
    assert launch.main(["cloud", "--zone", "hazy", "--apply", "--", "true"]) == 1
    first, last = capsys.readouterr().err.splitlines()[-2:]
    assert "was started is not known. Ask:  minion-launch status l" in first
    assert last == "minion-launch: no answer"
    assert launch.main(["cloud", "--apply", "--", "true"]) == 0
    assert launch.main(["stop", first.split()[-1], "vm-1"]) == 1
    out, err = capsys.readouterr()
    assert "whether anything was started, it does not know" in err
    assert out.endswith(": told to end; see:  minion-launch status " + out.split()[-1] + "\n")
    assert submitted[1:] == [({"job": "vm-1"}, False)]
    assert [path.parent.name for path in Path("minion-launch").glob("*/closed")].count(first.split()[-1]) == 1


def test_a_verb_is_not_taken_by_a_launcher(submitted, capsys):
    """One that is called like a verb can be reached all the same."""
    assert launch.main(["list"]) == 0
    assert "nothing was launched yet" in capsys.readouterr().err
    assert launch.main(["--to", "list", "--script", "--", "true"]) == 0
    assert capsys.readouterr().out.startswith("1 in north ")


def test_a_record_whose_launcher_is_gone(submitted, capsys, monkeypatch):
    """Its package was removed: that is said, and the others are shown."""
    launch.main(["cloud", "--apply", "--", "true"])
    monkeypatch.setattr(plugins, "_entry_points", lambda kind: {})
    capsys.readouterr()
    assert launch.main(["status", "vm-1"]) == 2
    assert '"cloud" is not a launcher' in capsys.readouterr().err
    assert launch.main(["status"]) == 0
    assert '"cloud" is not a launcher' in capsys.readouterr().out


def test_options_of_the_scheduler_may_begin_with_a_dash():
    """As they do; and what belongs to the command is left alone."""
    from minionize.launchers.slurm import SlurmLauncher

    parser = launch.common.parser("test")
    launch._add_launch(parser, SlurmLauncher.settings)

    def parsed(*words):
        namespace = parser.parse_args(launch._joined(parser, list(words)))
        return vars(namespace).get("MINION_LAUNCH_EXTRA"), namespace.command

    assert parsed("--extra", "--constraint=x", "-c", "2", "--extra", "-p a", "./a.out", "--extra", "1") == (
        "--constraint=x -p a",
        ["./a.out", "--extra", "1"],
    )
    assert parsed("--extra=-v", "--", "--extra", "1") == ("-v", ["--", "--extra", "1"])
