"""Look for an image, and pull one that is not there: once, before the first param is taken."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from minionize.errors import UsageError

if TYPE_CHECKING:
    from minionize.callbacks.container.runtime import Runtime


def is_here(runtime: Runtime, image: str) -> bool:
    """Tell whether the image is on this host."""
    if runtime.kind == "apptainer":
        return os.path.exists(local(image))
    return runtime.call("image", "inspect", "--format", "{{.Id}}", image).code == 0


def local(image: str) -> str:
    """Say by which name containers of an image are started: apptainer's is a file, also that of one that was pulled."""
    if "://" not in image:
        return image
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    stem = "".join(char if char.isalnum() or char in "-_." else "_" for char in image)
    return os.path.join(cache, "minionize", "images", f"{stem}.sif")


def ensure(runtime: Runtime, image: str, *, quiet: bool = False) -> None:
    """Pull an image that is not here; raises UsageError with the runtime's own words where that cannot be done."""
    if is_here(runtime, image):
        return
    if runtime.kind == "apptainer" and "://" not in image:
        raise UsageError(f"there is no image {image}\n  One of a registry:  docker://{image}")
    if not quiet:
        sys.stderr.write(f"minionize: pulling {image} with {runtime.name}.\n")
        sys.stderr.flush()
    if runtime.kind == "apptainer":
        _build(runtime, image)
    else:
        _pull(runtime, image, quiet=quiet)


def _pull(runtime: Runtime, image: str, *, quiet: bool) -> None:
    # Who sits before it sees how far it is; others read why it failed in the error, wherever that goes.
    loud = not quiet and sys.stderr.isatty()
    answer = runtime.call("pull", *(() if loud else ("--quiet",)), image, patience=None, loud=loud)
    if answer.code:
        why = f"{runtime.name} said why above" if loud else answer.words
        raise UsageError(
            f"cannot pull the image {image}: {why}\n"
            f"  Is it spelled right?  {runtime.name} pull {image}\n  Nothing was taken from the queue."
        )


def _build(runtime: Runtime, image: str) -> None:
    """Make the file of an image of a registry, under another name first: minions of many hosts may share the directory."""
    path = local(image)
    draft = f"{path}.{os.uname().nodename}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        answer = runtime.call("pull", draft, image, patience=None)
        if answer.code:
            raise UsageError(
                f"cannot pull the image {image}: {answer.words}\n  Nothing was taken from the queue.",
            )
        os.replace(draft, path)
    except OSError as error:
        raise UsageError(f"cannot keep the image {image} in {path}: {error.strerror}") from error
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
