"""One server for a whole test run, whose processes share it: it ends with the last of them."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import tempfile


def join(name, make):
    """Start the server, or join it; ``make`` is given the directory in which it lives, and does either."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid():x}")[:8]
    directory = os.path.join(tempfile.gettempdir(), f"minionize-{name}-{session}")
    users = os.path.join(directory, "users")
    with alone(directory):
        os.makedirs(users, exist_ok=True)
        with open(os.path.join(users, str(os.getpid())), "w", encoding="utf-8"):
            pass
        server = make(directory)
    atexit.register(_leave, directory, server)
    return server


def _leave(directory, server):
    users = os.path.join(directory, "users")
    with alone(directory):
        for pid in os.listdir(users) if os.path.isdir(users) else ():
            if int(pid) == os.getpid() or not os.path.exists(f"/proc/{pid}"):
                os.unlink(os.path.join(users, pid))
        if os.path.isdir(users) and not os.listdir(users):
            server.stop()


@contextlib.contextmanager
def alone(directory):
    """Keep the other processes of this run out; the lock goes with the directory."""
    path = f"{directory}.lock"
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(lock)):
            break
        os.close(lock)  # the one before us has taken it away
    try:
        yield
    finally:
        if not os.path.exists(directory):
            os.unlink(path)
        os.close(lock)
