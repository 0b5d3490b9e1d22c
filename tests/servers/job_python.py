"""The commands of this checkout, for jobs that run as somebody else: that user may not be able to read ours.

``install(directory)`` makes ``directory/bin`` with the commands and a ``python`` that has copies of the package, of what it
needs, and of execo; everybody can read them. It is what a virtual environment in one's home is on a cluster.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys

from servers import need

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: Pure Python packages that jobs may import besides our own.
PACKAGES = ("python-dotenv", "humanize", "asciichartpy", "execo")


def install(directory):
    """Make the environment, and return the folder of its commands."""
    python = interpreter()
    version = subprocess.run(
        [python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    bin = os.path.join(directory, "bin")
    library = os.path.join(directory, "lib", version, "site-packages")
    os.makedirs(bin)
    os.makedirs(library)
    _write(os.path.join(directory, "pyvenv.cfg"), f"home = {os.path.dirname(python)}\n")
    os.symlink(python, os.path.join(bin, "python"))
    os.symlink("python", os.path.join(bin, "python3"))
    shutil.copytree(
        os.path.join(ROOT, "minionize"),
        os.path.join(library, "minionize"),
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for package in PACKAGES:
        _copy(importlib.metadata.distribution(package), library)
    for name, function in commands():
        module, _, attribute = function.partition(":")
        script = f"#!{bin}/python\nimport sys\nfrom {module} import {attribute}\nsys.exit({attribute}())\n"
        _write(os.path.join(bin, name), script, 0o755)
    subprocess.run(["chmod", "-R", "a+rX", directory], check=True)
    return bin


def interpreter():
    """Find a Python that everybody can execute: the one that runs us, or the system's."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        if not _is_open(python):
            continue
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([python, "-c", code], stdin=subprocess.DEVNULL, check=False).returncode == 0:
            return os.path.realpath(python)
    return need.lacking("there is no Python 3.11 that another user could execute: apt-get install python3")


def commands():
    """List the commands that the project declares, and their functions."""
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        scripts = file.read().partition("[project.scripts]\n")[2].partition("\n\n")[0]
    return re.findall(r'^([\w-]+) = "(.*)"$', scripts, re.MULTILINE)


def _is_open(path):
    """Tell whether everybody may come to that file, and execute it."""
    while os.path.exists(path) and os.stat(path).st_mode & 0o001:
        if path == "/":
            return True
        path = os.path.dirname(path)
    return False


def _copy(distribution, library):
    for file in distribution.files or ():
        if file.parts[0] != ".." and "__pycache__" not in file.parts:
            target = os.path.join(library, str(file))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(file)), target)


def _write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
