"""The releases of Debian that the lab's hosts can be made of, and what differs between them."""

from dataclasses import dataclass

from tests.lab.shell import LabError

DEFAULT_RELEASE = "bookworm"


@dataclass(frozen=True)
class Release:
    """One release of Debian.

    Attributes:
        name: Its code name.
        mirror: A line of sources.list, where the sources that mmdebstrap takes by itself are not enough.
        image_packages: What the image has besides what it has in every release, as mmdebstrap takes them.
        pcsd_units: The units of pcs's daemon, in the order in which they are started.
        promoted_max: What pcs calls the number of a bundle's promoted replicas.
        promoted: What it calls the role of a promoted one.
        unpromoted: What it calls the other role.
    """

    name: str
    mirror: str = ""
    image_packages: str = ""
    pcsd_units: tuple[str, ...] = ("pcsd",)
    promoted_max: str = "promoted-max"
    promoted: str = "Promoted"
    unpromoted: str = "Unpromoted"


RELEASES = {
    release.name: release
    for release in (
        Release(
            "bullseye",
            # Its security suite is listed on mirrors that no longer have all of its files.
            mirror="deb http://deb.debian.org/debian bullseye main",
            # For crm_attribute, which is copied from the hosts: its package excludes the one that the image is made of.
            image_packages="libcrmcluster29,libcmap4,libcpg4,libquorum5,libcorosync-common4",
            pcsd_units=("pcsd-ruby", "pcsd"),
            promoted_max="masters",
            promoted="Master",
            unpromoted="Slave",
        ),
        Release(DEFAULT_RELEASE),
        Release("trixie"),
    )
}


def release_named(name: str) -> Release:
    """Returns a release by its name.

    Raises:
        LabError: The lab has none of that name.
    """
    if name not in RELEASES:
        raise LabError(f"there is no release {name!r} for the lab; it has {', '.join(RELEASES)}")
    return RELEASES[name]
