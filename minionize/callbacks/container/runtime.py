"""Which container runtime is there, and what it can."""

from __future__ import annotations

import os
from typing import NamedTuple

from minionize.callbacks.process import which
from minionize.errors import CommandNotFound, UsageError

#: The order in which they are looked for, and the names that each goes by.
RUNTIMES = {"podman": ("podman",), "docker": ("docker",), "apptainer": ("apptainer", "singularity")}
_INSTALL = {
    "podman": "apt-get install podman",
    "docker": "https://docs.docker.com/engine/install/",
    "apptainer": "https://apptainer.org/docs/admin/main/installation.html",
}
#: Where podman looks for the program that it puts in front of a command: one that reaps, and passes signals on.
_INITS = ("/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/lib/podman")
#: Seconds that a runtime is given for an answer, a pull apart.
PATIENCE = 60.0


class Runtime(NamedTuple):
    """A runtime of this host: ``kind`` is whose command line it has, ``path`` its program.

    ``user`` are the options that make containers run as the calling user; ``init``: it can put an init before a command.
    """

    kind: str
    path: bytes
    version: str = ""
    user: tuple[str, ...] = ()
    init: bool = False

    @property
    def name(self) -> str:
        """What its users call it."""
        return os.path.basename(os.fsdecode(self.path))

    @property
    def has_containers(self) -> bool:
        """Whether what it runs outlives it, with a name: apptainer's are processes like any other."""
        return self.kind != "apptainer"

    def call(self, *words: str, patience: float | None = PATIENCE, loud: bool = False) -> Answer:
        """Run it to its end; ``loud``: what it says is for the user's eyes. Raises UsageError where it does not answer."""
        import subprocess

        try:
            done = subprocess.run(
                [os.fsdecode(self.path), *words],
                stdin=subprocess.DEVNULL,
                stdout=2 if loud else subprocess.PIPE,
                stderr=None if loud else subprocess.PIPE,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UsageError(f"{self.name} {words[0]} did not answer for {patience:g} s.") from None
        except OSError as error:
            raise CommandNotFound(f"cannot run {self.name}: {error.strerror}", 126) from error
        return Answer(done.returncode, _text(done.stdout), _text(done.stderr))


class Answer(NamedTuple):
    """What a runtime answered."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The last thing it said, which is why it failed."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith(("See '", "Run '"))] or ["it said nothing"]
        return lines[-1].removeprefix("Error: ")


def find(wanted: str | None, image: str) -> Runtime:
    """Find a runtime on PATH: the wanted one, else the first there is; raises CommandNotFound. Runs nothing."""
    kinds = [wanted] if wanted else ["apptainer"] if image.endswith(".sif") else list(RUNTIMES)
    for kind in kinds:
        for name in RUNTIMES[kind]:
            try:
                return Runtime(kind, which(os.fsencode(name)))
            except CommandNotFound:
                pass
    looked = kinds[0] if len(kinds) == 1 else "no podman, docker or apptainer"
    missing = f"{looked} is not installed" if len(kinds) == 1 else f"{looked} is installed"
    raise CommandNotFound(
        f"{missing}, which --image needs   (looked along PATH)\n  Get it:  {_INSTALL[kinds[0]]}"
        "\n  Nothing was taken from the queue."
    )


def known(runtime: Runtime) -> Runtime:
    """Ask a runtime for its version, and see what it can here; raises UsageError where it does not work."""
    answer = runtime.call("--version")
    if answer.code:
        raise UsageError(f"{runtime.name} does not work here: {answer.words}")
    version = answer.out.strip().splitlines()[0] if answer.out.strip() else "of an unknown version"
    kind = "podman" if runtime.kind == "docker" and "podman" in version.lower() else runtime.kind  # podman-docker
    runtime = runtime._replace(kind=kind, version=version)
    if kind == "podman":
        return runtime._replace(user=_podman_user(), init=any(os.path.exists(f"{path}/catatonit") for path in _INITS))
    return _docker(runtime) if kind == "docker" else runtime


def _podman_user() -> tuple[str, ...]:
    user = ("--user", f"{os.geteuid()}:{os.getegid()}")
    return ("--userns=keep-id", *user) if os.geteuid() else user


def _docker(runtime: Runtime) -> Runtime:
    """Ask docker's daemon, which is what must work. One that runs rootless maps root to the calling user."""
    server = runtime.call("version", "--format", "{{range .Server.Components}}{{.Name}} {{end}}")
    if "Podman" in server.out:  # seen with 4.3: every container ended with 0, whatever its exit code
        raise UsageError("docker talks to podman here, and exit codes get lost between them.\n  Use:  --runtime podman")
    answer = (
        runtime.call("info", "--format", "{{.InitCommit.ID}} {{json .SecurityOptions}}") if not server.code else server
    )
    if answer.code:
        raise UsageError(f"docker does not work here: {answer.words}")
    init, _, security = answer.out.partition(" ")
    user = "0:0" if "name=rootless" in security else f"{os.geteuid()}:{os.getegid()}"
    return runtime._replace(user=("--user", user), init=init != "N/A")


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
