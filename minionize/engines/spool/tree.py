"""The directory of a spool: its folders, opening and making it, and what is to be known of the file system it is on."""

from __future__ import annotations

import os
import stat

from minionize import place
from minionize.engines.spool import files
from minionize.errors import EngineError, NoQueue

#: The format of what is written here: the name of the folder that holds it all.
VERSION = 1
FOLDERS = ("puts", "known", "open", "dead", "minions", "alive", "taken", "ended", "logs", "forgot", "turn", "tmp")
#: The file in ``turn`` while nobody puts.
FREE = "free"
_WORDS = {"f": "open", "r": "open", "s": "open", "x": "dead"}
#: Mount options that decide what a crash or a cache may do to a queue.
_NOTED = (
    "sync",
    "async",
    "noac",
    "actimeo",
    "nolock",
    "local_lock",
    "soft",
    "hard",
    "lookupcache",
    "vers",
    "noflock",
    "flock",
)


class Tree:
    """The folders of a queue; ``path`` is as the user gave it."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        """Open the queue at ``path``; raises NoQueue where there is none and ``create`` is not given."""
        self.path = path
        self.root = os.path.join(os.path.abspath(path), f"v{VERSION}")
        with files.Translated(path):
            self._check()
            if not os.path.isdir(self.root):
                if not create:
                    raise NoQueue(
                        f"there is no queue {path} (in {place.here()}).\n"
                        f"  Make one:  MINION_ENGINE=spool minion-queue put seed=1..10     or point to it:  SPOOL_DIR=..."
                    )
                make(self.root)
            self.queue = self.identity()
            self._mode = 0o755 | (_mode(self.root) & stat.S_IWGRP)  # of the folders that we make in it

    def __getitem__(self, folder: str) -> str:
        """Return the path of a folder."""
        return os.path.join(self.root, folder)

    def at(self, *parts: str) -> str:
        """Return a path inside."""
        return os.path.join(self.root, *parts)

    def make_folder(self, path: str) -> None:
        """Make a folder, for those who may write the others."""
        _make_folder(path, self._mode)

    def home(self, chunk: str) -> str:
        """Return the path where a chunk of that name belongs."""
        return self.at(_WORDS[chunk[0]], chunk)

    def identity(self) -> str:
        """Read the queue's own identity; empty where it is not there any more."""
        for _ in files.again():
            data = files.read(self.at("id"))
            if data:
                return data.decode("ascii", "replace").strip()
        return ""

    def _check(self) -> None:
        """Refuse what is no directory, or anybody's, or of a later version."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode):
            raise EngineError(f"{self.path} is no directory, so it is no spool.\n  Name another:  SPOOL_DIR=...")
        for path in (self.path, self.root):
            if _mode(path) & stat.S_IWOTH:
                raise EngineError(
                    f"{path} can be written by everybody on this system, who could run commands in your name.\n"
                    f"  Close it:  chmod o-w {path}"
                )
        later = [
            name for name in os.listdir(self.path) if name[:1] == "v" and name[1:].isdigit() and int(name[1:]) > VERSION
        ]
        if later:
            raise EngineError(
                f"the queue {self.path} was written by a later version of minionize (format {later[0][1:]}; this one knows {VERSION})."
                "\n  pip install --upgrade minionize"
            )

    def notes(self) -> tuple[str, ...]:
        """Say what there is to know: on which kind of file system it is, and who else may write there."""
        mount = place.mount(self.path)
        options = mount.options.split(",") if mount else []
        noted = [option for option in options if option.partition("=")[0] in _NOTED]
        said = f"{self.path} is on {mount.type if mount else 'a file system of unknown type'}"
        notes = [f"{said} ({', '.join(noted)})." if noted else f"{said}."]
        owner = os.stat(self.path).st_uid
        if owner not in (0, os.geteuid()):
            notes.append(f"{self.path} belongs to another user ({owner}), who could run commands in your name.")
        if (_mode(self.path) | _mode(self.root)) & stat.S_IWGRP:
            notes.append(f"{self.path} can be written by its group, whose members could run commands in your name.")
        return tuple(notes)


def _mode(path: str) -> int:
    """Return the mode of a file; 0 where there is none."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return 0


def _make_folder(path: str, mode: int) -> None:
    os.mkdir(path, mode)
    if mode & stat.S_IWGRP:
        os.chmod(path, mode)  # the umask may have taken it away


def make(root: str, old: str = "") -> None:
    """Make an empty queue, in one step for all who look; what is in its place is moved to ``old``."""
    new = f"{root}-{os.urandom(6).hex()}"
    path = os.path.dirname(root)
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            os.mkdir(path, 0o755)  # whatever the umask: who may write here may run commands in our name
        except FileExistsError:
            pass
    mode = 0o755 | (_mode(path) & stat.S_IWGRP)  # a group that was let in on purpose is
    for folder in ("", *FOLDERS):
        _make_folder(os.path.join(new, folder), mode)
    files.write(os.path.join(new, "id"), os.urandom(16).hex().encode())
    files.write(os.path.join(new, "turn", FREE), b"", 0o664)  # who has the turn touches it
    if old:
        files.take(root, old)
    try:
        os.rename(new, root)
    except OSError:
        files.remove_tree(new)
        if not os.path.isdir(root):  # somebody else was faster, and that is as good
            raise
