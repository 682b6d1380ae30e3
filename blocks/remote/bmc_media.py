"""Virtual media of a BMC: the drive for an ISO, inserting and ejecting, with what BMCs do otherwise than Redfish says.

sushy knows several of these ways (PATCH in place of actions, `{}` for ejecting, TransferProtocolType). But it passes over an error
of an eject that it does not know, and gives up without a word where a BMC goes on demanding a parameter: so what came of it is
always read, and never believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sushy
from sushy import exceptions
from sushy.resources.manager.virtual_media import VirtualMedia
from sushy.resources.system.system import System

from blocks.remote.bmc_errors import BmcError

# In this order: some BMCs have both drives, some only one for DVDs.
_TYPES: Final = (sushy.VIRTUAL_MEDIA_CD, sushy.VIRTUAL_MEDIA_DVD)


def find_drive(name: str, system: System) -> VirtualMedia:
    """Return the drive that takes an ISO.

    Args:
        name: What the BMC is called in errors.
        system: The node.

    Raises:
        BmcError: It has none.
    """
    drives = list(_drives(system))
    for wanted in _TYPES:
        for drive in drives:
            if wanted in drive.media_types:
                return drive
    kinds = sorted({kind.value for drive in drives for kind in drive.media_types})
    only = f", only for {', '.join(kinds)}" if kinds else ""
    raise BmcError(
        name,
        f"it has no virtual drive for an ISO{only}",
        "see whether its licence has virtual media; else take its section [bmc] out of the site file, and boot the ISO by hand",
    )


def _drives(system: System) -> Iterator[VirtualMedia]:
    """All virtual drives: below the system, where later BMCs have them, else below its managers."""
    for owner in (system, *system.managers):
        try:
            members = owner.virtual_media.get_members()
        except (exceptions.MissingAttributeError, exceptions.ResourceNotFoundError):
            continue
        if members:
            yield from members
            return


def image_in(drive: VirtualMedia) -> str:
    """Read what is in a drive; empty where nothing is. Some say `Inserted` though nothing is, and have no image then."""
    drive.invalidate()
    drive.refresh()
    return str(drive.image or (drive.image_name if drive.inserted else "") or "")


def insert(drive: VirtualMedia, url: str) -> None:
    """Have the BMC insert an ISO.

    Args:
        drive: An empty one.
        url: Where the BMC finds it.
    """
    # A BMC that demands the protocol is told it by sushy for HTTP and HTTPS; for NFS that would be asked for again and again.
    protocol = "NFS" if url.startswith("nfs:") else None
    try:
        drive.insert_media(url, transfer_protocol=protocol)
    except exceptions.HTTPError:
        if not drive.inserted:
            raise
        eject(drive)  # one that says `Inserted` of an empty drive also refuses to insert anything
        drive.insert_media(url, transfer_protocol=protocol)


def eject(drive: VirtualMedia) -> None:
    """Have the BMC eject what is in a drive."""
    drive.eject_media()
