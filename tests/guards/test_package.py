"""What users install holds what it should, and nothing else."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email.parser import Parser
from types import SimpleNamespace

import pytest
from source_tree import ROOT
from tools import need, run

from minionize import __version__

#: What a minion and ``minion-status`` need. Everything else is an extra.
BARE = ["asciichartpy", "humanize", "python-dotenv", "pyyaml"]
#: Folders of which the sdist holds every file, and files that stand alone.
FOLDERS = ("minionize", "tests", "examples", "bench", ".ci")
FILES = (".env.example", "CHANGELOG.rst", "LICENSE", "README.rst", "pyproject.toml")


def is_litter(name):
    """Say whether a file is what running things leaves behind."""
    folders = {"__pycache__", "minion-report", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
    return bool(folders & set(name.split("/"))) or name.rpartition("/")[2].startswith("minion-queue.db")


def files_of(folder):
    """Return the files below a folder of the checkout, without litter."""
    paths = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path for path in paths if not is_litter(path)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build both, the wheel from the sdist, as an index would get them; returns what is in them."""
    need("build", "hatchling")
    out = tmp_path_factory.mktemp("dist")
    done = run("build", "--no-isolation", "--outdir", str(out), str(ROOT))
    assert done.returncode == 0, done.stdout
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = {name.partition("/")[2]: archive.read(name).decode() for name in names if ".dist-info/" in name}
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2]: member.mode for member in archive.getmembers() if member.isfile()}
    return SimpleNamespace(wheel=wheel.name, sdist=sdist.name, in_wheel=set(names), info=info, in_sdist=packed)


@pytest.fixture(scope="module")
def metadata(built):
    """Return what the index shows."""
    return Parser().parsestr(built.info["METADATA"])


def test_both_are_named_by_the_version(built):
    """The wheel is for every platform: there is nothing to compile."""
    assert built.wheel == f"minionize-{__version__}-py3-none-any.whl"
    assert built.sdist == f"minionize-{__version__}.tar.gz"


def test_the_wheel_holds_the_package_and_nothing_else(built):
    """Every module, and the mark that it has types; no tests, no examples."""
    inside = {name for name in built.in_wheel if ".dist-info/" not in name}
    assert "minionize/py.typed" in inside
    assert sorted(inside ^ files_of("minionize")) == []


def test_the_wheel_brings_the_licence(built):
    """Where tools look for it."""
    assert "MIT" in built.info["licenses/LICENSE"]


def test_the_sdist_holds_all_that_is_needed_to_test_it(built):
    """Tests, examples, benchmarks, what CI runs, and the documents; scripts stay executable."""
    wanted = set(FILES).union(*map(files_of, FOLDERS))
    assert sorted(wanted - built.in_sdist.keys()) == []
    assert built.in_sdist[".ci/run"] & 0o111


def test_the_sdist_holds_no_litter(built):
    """A checkout that was worked in makes the same sdist as a clean one."""
    assert sorted(filter(is_litter, built.in_sdist)) == []


def test_a_bare_install_needs_four_small_packages(metadata):
    """Clients of queue servers, pandas and the rest come with extras."""
    needs = metadata.get_all("Requires-Dist")
    bare = [need for need in needs if "extra ==" not in need]
    assert sorted(need.replace(">", " ").split()[0] for need in bare) == BARE


def test_the_extra_all_takes_every_other_extra(metadata):
    """``pip install 'minionize[all]'`` is enough."""
    extras: dict[str, set[str]] = {name: set() for name in metadata.get_all("Provides-Extra")}
    for requirement in metadata.get_all("Requires-Dist"):
        package, _, condition = requirement.partition(";")
        for extra in re.findall(r"extra == ['\"]([\w-]+)", condition):
            extras[extra].add(package.strip())
    assert extras.pop("all") == set().union(*extras.values())


def test_the_commands_are_installed(built):
    """Each is a function that exists."""
    lines = built.info["entry_points.txt"].split("[console_scripts]")[1].split("[")[0].split("\n")
    scripts = dict(line.split(" = ") for line in lines if line)
    assert {"minionize", "minion-queue", "minion-status"} <= scripts.keys()
    for place in scripts.values():
        module, _, function = place.partition(":")
        assert f"{module.replace('.', '/')}.py" in built.in_wheel
        assert function in ("main", "command")


def test_the_index_can_show_the_readme(metadata):
    """As what it is."""
    assert metadata["Description-Content-Type"] == "text/x-rst"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload().strip() == (ROOT / "README.rst").read_text("utf-8").strip()
