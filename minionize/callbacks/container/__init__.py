"""Run one container per task, by the command line of podman, docker or apptainer.

``runtime``   which of them there is, and what it can
``sight``     what a container sees of this host: mounts, GPUs, the network
``argv``      the command lines
``image``     look for an image, and pull one that is not there
``orphans``   remove what minions that are gone left running
``trouble``   tell a failure of the runtime from one of the task
``callback``  the callback
``docker``    the callback of minionize 0.3: keyword arguments of docker-py
"""

from __future__ import annotations

from minionize.callbacks.container.callback import ContainerCallback
from minionize.callbacks.container.docker import DockerCallback

__all__ = ["ContainerCallback", "DockerCallback"]
