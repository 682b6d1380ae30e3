"""The words that site files, inventories and blocks are made of, each with its bounds.

The bounds are narrow on purpose: these words end up in commands that run as root on a control plane.
"""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

BOUNDS_OF_A_PATH = "an absolute path of plain characters, without '..' and without a slash at its end"


def _without_parent_steps(path: str) -> str:
    if ".." in PurePosixPath(path).parts:
        raise ValueError(f"must be {BOUNDS_OF_A_PATH}")
    return path


def _of_its_own(path: str) -> str:
    """Refuse `/`, `/var` and `/var/lib`: a runbook renames this directory."""
    if len(PurePosixPath(path).parts) < 4:
        raise ValueError("must lie at least three levels below '/', since it is moved aside during a restore")
    return path


# Prefect's rule for the names of block documents.
SiteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=253)]
# A host name, an IPv4 or an IPv6 address; never something that a command could take for an option.
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:]([A-Za-z0-9:._%-]*[A-Za-z0-9])?$", max_length=253)]
RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=128)]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]*$", max_length=32)]
# A run renews a host's timer five times as often; less would end what goes on over a slow connection.
CleanupAfter = Annotated[int, Field(ge=120, le=86400)]
ResourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=128)]
HieraKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(::[a-z0-9_]+)*$", max_length=255)]
# `[user@]host[:port]`, the user and the port optional.
JumpHost = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z_][a-z0-9_.-]*@)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$", max_length=253
    ),
]
RemotePath = Annotated[
    str,
    StringConstraints(pattern=r"^(/[A-Za-z0-9._@+-]+)+$", max_length=1024),
    AfterValidator(_without_parent_steps),
]
DataDirectory = Annotated[RemotePath, AfterValidator(_of_its_own)]
