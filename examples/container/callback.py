"""A minion that runs containers: what is to run in each is worked out here."""

from __future__ import annotations

import sys
from typing import Any

from minionize import ContainerCallback, minionizer


class Pi(ContainerCallback):
    """Adds up rectangles in busybox."""

    def to_cmd(self, param: dict[str, Any]) -> list[str]:
        """Call awk."""
        return ["awk", "-f", "/work/pi.awk", str(param["steps"]), param["rule"]]


if __name__ == "__main__":
    image = Pi("docker.io/library/busybox:1", mounts=[".:/work:ro"], network="none", options=["--memory", "512m"])
    sys.exit(minionizer(image, quiet=True).run())
