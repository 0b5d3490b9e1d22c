"""The shared file systems that tests use are what they are said to be."""

from __future__ import annotations

import os
import subprocess

from servers.sharedfs import PATH, Volume


def test_both_mounts_show_one_directory(two_mounts):
    """What is written at one is read at the other, and a rename at one is a rename at both."""
    first, second = two_mounts
    assert os.listdir(first) == os.listdir(second) == []
    with open(os.path.join(first, "file"), "w") as file:
        file.write("text")
    with open(os.path.join(second, "file")) as file:
        assert file.read() == "text"
    os.rename(os.path.join(second, "file"), os.path.join(second, "other"))
    assert os.listdir(first) == ["other"]


def test_each_mount_is_a_client_of_its_own(shared_volume):
    """Two file systems of the same kind, in the kernel's eyes: two caches."""
    first, second = shared_volume.mounts
    assert os.stat(first).st_dev != os.stat(second).st_dev
    with open("/proc/self/mounts", encoding="utf-8") as file:
        kinds = {line.split()[1]: line.split()[2] for line in file}
    assert kinds[first] == kinds[second]
    assert kinds[first].startswith("fuse")


def test_the_last_one_to_leave_stops_it(shared_volume, tmp_path):
    """Not one before it, and then nothing is mounted, runs or lies about."""
    volume = Volume(shared_volume.kind, str(tmp_path / "v"))
    volume.enter()
    sleeper = subprocess.Popen(["sleep", "1000"])
    other = tmp_path / "v" / "users" / str(sleeper.pid)
    other.touch()
    volume.leave()
    assert all(os.path.ismount(mount) for mount in volume.mounts)
    sleeper.kill()
    sleeper.wait()
    volume.enter()  # it runs already, and goes on
    assert volume.script("up").returncode == 0
    volume.leave()
    assert not any(os.path.ismount(mount) for mount in volume.mounts)
    assert os.listdir(tmp_path) == []
    assert f"{tmp_path}/v" not in commands()
    names = subprocess.run(["ip", "netns", "list"], env={"PATH": PATH}, capture_output=True, text=True, check=True)
    assert len(names.stdout.splitlines()) >= 1  # the one of this session


def commands():
    """Return the command lines of all processes."""
    return subprocess.run(["ps", "-e", "-o", "args"], capture_output=True, text=True, check=True).stdout
