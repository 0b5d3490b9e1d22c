"""On which kind of file system is a path: one that this machine has for itself, or one that it shares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from minionize.place.files import read

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Types of file systems that live on disks (or in the memory) of one machine.
LOCAL = frozenset(
    (
        *(
            "apfs",
            "aufs",
            "bcachefs",
            "btrfs",
            "erofs",
            "exfat",
            "ext",
            "ext2",
            "ext3",
            "ext4",
            "f2fs",
            "hfs",
            "hfsplus",
        ),
        *("iso9660", "jffs2", "jfs", "msdos", "nilfs2", "ntfs", "ntfs3", "overlay", "overlayfs", "ramfs", "reiser4"),
        *("reiserfs", "rootfs", "squashfs", "tmpfs", "ubifs", "udf", "ufs", "vfat", "xfs", "zfs"),
    )
)


class Mount(NamedTuple):
    """One line of ``/proc/self/mountinfo``; ``options`` are those of the file system."""

    device: str
    root: str
    point: str
    type: str
    options: str


def mounts(text: str | None = None) -> list[Mount]:
    """List what is mounted here, in the order of mounting; ``text`` stands in for ``/proc/self/mountinfo``."""
    return list(_parsed_mounts(read("/proc/self/mountinfo") if text is None else text))


def _parsed_mounts(text: str) -> Iterator[Mount]:
    for line in text.split("\n"):
        before, _, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        if len(fields) >= 5 and tail[0]:
            yield Mount(fields[2], _plain(fields[3]), _plain(fields[4]), tail[0], tail[-1])


def _plain(path: str) -> str:
    """Undo the kernel's escapes: blanks and the like stand as three octal digits."""
    if "\\" not in path:
        return path
    head, *others = path.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in others)


def filesystem(path: str, table: list[Mount] | None = None) -> str:
    """Return the type of the file system that holds the path, or would if it existed; empty where nobody can say."""
    found = mount(path, table)
    return found.type if found else ""


def mount(path: str, table: list[Mount] | None = None) -> Mount | None:
    """Find what is mounted where the path is, or would be if it existed; None where nobody can say."""
    path = os.path.realpath(path)
    # Before the table is read: an automounter mounts what is looked at.
    device = _device(path)
    holding = [one for one in (mounts() if table is None else table) if holds(one.point, path)]
    # A mount may be covered by a later one that is higher up; its files are then on another device. (Some file systems
    # give their files other numbers than their mount: then the longest name decides.)
    holding = [one for one in holding if one.device == device] or holding
    found = None
    for one in holding:
        if found is None or len(one.point) >= len(found.point):
            found = one
    return found


def holds(point: str, path: str) -> bool:
    """Tell whether the path is at or below that point, both without links."""
    return path == point or path.startswith(point.rstrip("/") + "/")


def _device(path: str) -> str:
    """Return the number of the device of the path, or of its nearest parent that exists."""
    while True:
        try:
            device = os.stat(path).st_dev
        except OSError:
            if path == os.path.dirname(path):
                return ""
            path = os.path.dirname(path)
        else:
            return f"{os.major(device)}:{os.minor(device)}"


def is_local(fstype: str) -> bool:
    """Tell whether only this machine writes to file systems of that type; what is not known is not local.

    Where the type could not be read (no ``/proc``) the answer is yes.
    """
    return not fstype or fstype in LOCAL
