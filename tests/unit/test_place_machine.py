"""What this machine says: CPUs that may be used, and file systems that are shared."""

from __future__ import annotations

import os

import pytest

from minionize import place
from minionize.place import mounts as m
from minionize.place.mounts import Mount
from minionize.place.processors import cgroup_quota

TABLE = r"""
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 0:30 / /srv rw,relatime shared:3 - nfs4 server:/srv rw,vers=4.2
22 21 8:2 / /srv/fast rw - xfs /dev/sdb rw
23 20 0:31 / /with\040blank\134slash rw - fuse.sshfs ana@host: rw
24 20 0:32 / /twice rw - tmpfs none rw
25 24 0:33 / /twice rw - lustre mds:/x rw
""".strip()


@pytest.fixture
def devices(monkeypatch):
    """Let no path have a device, so that names alone decide; a test may name some."""
    known = {}
    monkeypatch.setattr(m, "_device", lambda path: known.get(path, ""))
    return known


@pytest.mark.parametrize(
    ("path", "fstype"),
    [
        ("/", "ext4"),
        ("/home/ana", "ext4"),
        ("/srvx", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/data/q.db", "nfs4"),
        ("/srv/fast/q.db", "xfs"),
        ("/with blank\\slash/q.db", "fuse.sshfs"),
        ("/twice/q.db", "lustre"),
    ],
)
def test_the_longest_and_latest_mount_holds_a_path(devices, path, fstype):
    """Names are compared by parts, escapes are undone, a later mount covers an earlier one."""
    assert place.filesystem(path, m.mounts(TABLE)) == fstype


def test_a_mount_that_is_covered_from_above_does_not_count(devices):
    """The device of the file tells which mount is the real one."""
    table = m.mounts(TABLE + "\n26 21 0:40 / /srv rw - ceph mon:/ rw")
    devices["/srv/fast/q.db"] = "0:40"
    assert place.filesystem("/srv/fast/q.db", table) == "ceph"
    devices["/srv/fast/q.db"] = "8:2"
    assert place.filesystem("/srv/fast/q.db", table) == "xfs"


def test_links_are_followed_to_where_the_file_is(tmp_path):
    """A queue that is linked to shared memory is in shared memory, also before it exists."""
    (tmp_path / "link").symlink_to("/proc/self")
    assert place.filesystem(str(tmp_path / "link" / "not" / "yet")) == "proc"


def test_the_working_directory_has_a_known_file_system():
    """Read from the real table."""
    assert place.filesystem(".") == place.filesystem(os.getcwd()) != ""


def test_without_proc_a_file_system_is_unknown_and_local():
    """Such systems run on one machine."""
    assert place.filesystem("/tmp", []) == ""
    assert place.is_local("")


@pytest.mark.parametrize("fstype", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs"])
def test_disks_and_memory_are_local(fstype):
    """Overlay too: its writable layer is."""
    assert place.is_local(fstype)


@pytest.mark.parametrize(
    "fstype",
    [
        "nfs",
        "nfs4",
        "lustre",
        "gpfs",
        "ceph",
        "fuse",
        "fuse.sshfs",
        "fuse.glusterfs",
        "cifs",
        "smb3",
        "9p",
        "virtiofs",
        "beegfs",
        "afs",
        "autofs",
        "new",
    ],
)
def test_what_may_be_shared_is_not_local(fstype):
    """And so is what nobody has heard of."""
    assert not place.is_local(fstype)


def test_cpus_are_those_of_our_affinity(monkeypatch):
    """Batch systems bind jobs to some of the cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 7})
    monkeypatch.setattr("minionize.place.processors.cgroup_quota", lambda: None)
    assert place.cpus({}) == 3


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.0, 1), (1.5, 2), (2.0, 2), (64.0, 8)])
def test_cpus_are_limited_by_a_quota_rounded_up(monkeypatch, quota, expected):
    """A part of a CPU is used as well."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("minionize.place.processors.cgroup_quota", lambda: quota)
    assert place.cpus({}) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SLURM_CPUS_ON_NODE": "4"}, 4),
        ({"SLURM_CPUS_ON_NODE": "4", "SLURM_CPUS_PER_TASK": "2"}, 2),
        ({"SLURM_CPUS_ON_NODE": "64"}, 8),
        ({"SLURM_CPUS_ON_NODE": "0"}, 1),
        ({"SLURM_CPUS_ON_NODE": "what"}, 8),
    ],
)
def test_cpus_are_limited_by_what_slurm_granted(monkeypatch, environ, expected):
    """Not every site binds its jobs to cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("minionize.place.processors.cgroup_quota", lambda: None)
    assert place.cpus(environ) == expected


def group(root, path, **files):
    """Make a control group directory with these files; underscores in names stand for dots."""
    directory = root / path
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text + "\n")


def test_the_tightest_quota_above_us_counts_in_version_2(tmp_path):
    """A group is limited by each of those that hold it."""
    group(tmp_path, "job/step", **{"cpu.max": "max 100000"})
    group(tmp_path, "job", **{"cpu.max": "150000 100000"})
    group(tmp_path, ".", **{"cpu.max": "800000 100000"})
    table = [Mount("0:1", "/", str(tmp_path), "cgroup2", "rw")]
    assert cgroup_quota(table, "0::/job/step\n") == 1.5
    assert cgroup_quota(table, "0::/\n") == 8.0


def test_version_1_has_its_quota_in_two_files(tmp_path):
    """Only the hierarchy of the cpu controller is looked at; -1 is no limit."""
    files = {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}
    group(tmp_path / "cpu", "job", **files)
    group(tmp_path / "cpu", "free", **(files | {"cpu.cfs_quota_us": "-1"}))
    group(tmp_path / "memory", "job", **(files | {"cpu.cfs_quota_us": "10000"}))
    table = [
        Mount("0:1", "/", str(tmp_path / "cpu"), "cgroup", "rw,cpu,cpuacct"),
        Mount("0:2", "/", str(tmp_path / "memory"), "cgroup", "rw,memory"),
    ]
    assert cgroup_quota(table, "4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n") == 0.5
    assert cgroup_quota(table, "3:cpu,cpuacct:/free\n") is None


def test_a_container_that_sees_only_its_own_group_finds_its_quota(tmp_path):
    """It is told its path on the host, but the mount begins at that path."""
    group(tmp_path, ".", **{"cpu.max": "200000 100000"})
    table = [Mount("0:1", "/docker/abc", str(tmp_path), "cgroup2", "rw")]
    assert cgroup_quota(table, "0::/docker/abc\n") == 2.0


def test_without_control_groups_there_is_no_quota():
    """As on other systems than Linux."""
    assert cgroup_quota([], "") is None
    assert place.cpus({}) >= 1
