"""What runs: words, a function or an image, from the strongest place that says one."""

from __future__ import annotations

import pytest

from minionize.cli.program import choose
from minionize.errors import UsageError
from minionize.settings import load

COMMAND = "command: echo said {n}\n"
FUNCTION = "python: os.path:exists\n"
BOTH = f"image: i\n{COMMAND}"


def python(value="a:b"):
    """Return the setting that names a function."""
    return {"MINION_PYTHON": value}


def image(value="k"):
    """Return the setting that names an image."""
    return {"MINION_IMAGE": value}


SAID = ("echo", "said", "{n}")


@pytest.mark.parametrize(
    ("text", "words", "flags", "environ", "found"),
    [
        (COMMAND, [], {}, {}, ("command", SAID, "./.minionize.yml:1")),
        (COMMAND, ["true"], {}, {}, ("command", ["true"], "command line")),
        (COMMAND, [], {}, python(), ("function", (), "environment")),
        (COMMAND, [], python(), {}, ("function", (), "flag --python")),
        (COMMAND, [], image(), {}, ("image", SAID, "./.minionize.yml:1")),
        (COMMAND, [], {}, python(""), ("command", SAID, "./.minionize.yml:1")),
        (FUNCTION, [], {}, {}, ("function", (), "./.minionize.yml:1")),
        (FUNCTION, ["true"], {}, {}, ("command", ["true"], "command line")),
        (FUNCTION, [], image(), {}, ("image", [], "flag --image")),
        (FUNCTION, [], {}, image(), ("image", [], "environment")),
        (FUNCTION, [], {}, python("c:d"), ("function", (), "environment")),
        (FUNCTION + COMMAND, ["true"], {}, {}, ("command", ["true"], "command line")),
        (FUNCTION + COMMAND, [], python(), {}, ("function", (), "flag --python")),
        ("image: i\n", [], {}, {}, ("image", [], "./.minionize.yml:1")),
        (BOTH, [], {}, {}, ("image", SAID, "./.minionize.yml:2")),
        (BOTH, ["true"], {}, {}, ("image", ["true"], "command line")),
        (BOTH, ["true"], {}, image(""), ("command", ["true"], "command line")),
        (BOTH, [], python(), {}, ("function", (), "flag --python")),
        (BOTH, [], {}, python(), ("function", (), "environment")),
        (BOTH, [], image(), python(), ("image", SAID, "./.minionize.yml:2")),
        ("", ["true"], {}, python(), ("command", ["true"], "command line")),
        ("", ["true"], image(), python(), ("image", ["true"], "command line")),
        ("", [], python(), image(), ("function", (), "flag --python")),
        ("", [], {}, {}, None),
    ],
)
def test_the_strongest_place_decides(tmp_path, monkeypatch, text, words, flags, environ, found):
    """An image says where, a command what; a function is instead of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".minionize.yml").write_text(text)
    assert choose(load(flags, environ), words) == found


@pytest.mark.parametrize(
    ("text", "words", "flags", "environ", "said"),
    [
        (
            FUNCTION + COMMAND,
            [],
            {},
            {},
            'python="os.path:exists" (./.minionize.yml:1) and command (./.minionize.yml:2)',
        ),
        (
            f"image: i\n{FUNCTION}",
            [],
            {},
            {},
            'python="os.path:exists" (./.minionize.yml:2) and image="i" (./.minionize.yml:1)',
        ),
        ("", ["true"], python(), {}, 'MINION_PYTHON="a:b" (flag --python) and a command'),
        (
            COMMAND,
            [],
            python() | image(),
            {},
            'MINION_PYTHON="a:b" (flag --python) and MINION_IMAGE="k" (flag --image)',
        ),
        (COMMAND, [], {}, python() | image(), 'MINION_PYTHON="a:b" (environment) and MINION_IMAGE="k" (environment)'),
    ],
)
def test_two_things_from_one_place_are_an_error(tmp_path, monkeypatch, text, words, flags, environ, said):
    """Both are named, with their lines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".minionize.yml").write_text(text)
    with pytest.raises(UsageError) as caught:
        choose(load(flags, environ), words)
    assert str(caught.value) == f"{said}: a minion runs one of them."
