"""Which versions the hosts of a lab have."""

from __future__ import annotations

import re

from tests.lab import Lab

# Program → what tells its version on a controller.
PROGRAMS = {
    "podman": "podman --version",
    "systemd": "systemctl --version",
    "Pacemaker": "pacemakerd --version",
    "pcs": "pcs --version",
    "MariaDB": "podman exec $(podman ps -q --filter name=galera-bundle) mariadbd --version",
}
_VERSION = re.compile(r"\d+(?:\.\d+)*")


def versions(lab: Lab) -> dict[str, str]:
    """Return the version of each program on the first controller; `?` where it does not tell."""
    return {
        program: read_version(lab.exec(lab.controllers[0], line, check=False).stdout)
        for program, line in PROGRAMS.items()
    }


def read_version(said: str) -> str:
    """Return the first version number in what a program says of itself."""
    found = _VERSION.search(said.replace("Ver ", ""))
    return found[0] if found else "?"
