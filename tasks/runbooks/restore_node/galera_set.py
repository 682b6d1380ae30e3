"""Which backup restore-galera is given, where Galera does not come back by itself (BR 4.3, step 8, then 4.4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.choice import LATEST_VERIFIED, choose
from tasks.backup.manifest import Kind, Method
from tasks.backup.records import images_of
from tasks.backup.store import Store

# What restore-galera can restore.
_METHODS: tuple[Method, ...] = ("physical", "logical")
_KINDS = frozenset(Kind("backup-control-plane", "overcloud", method) for method in _METHODS)
_BY_HAND = (
    "`python -m deployments backups list` shows what there is, "
    "then `prefect deployment run restore-galera -p site={} -p backup=ID`"
)


@dataclass(frozen=True)
class GaleraSet:
    """A backup of the database, or why none can be named.

    Attributes:
        site: The site's name.
        stored: The set; None where none can be named.
        of_the_images: Whether it was made by the same run as the images.
        why: Why none can be named.
    """

    site: str
    stored: StoredSet | None = None
    of_the_images: bool = False
    why: str = ""

    @property
    def hint(self) -> str:
        """What to start, word by word."""
        if self.stored is None:
            return f"where Galera does not come back by itself: {self.why}; {_BY_HAND.format(self.site)}"
        which = "made with these images, and verified" if self.of_the_images else "the newest that is verified"
        return (
            f"where Galera does not come back by itself: `prefect deployment run restore-galera -p site={self.site} "
            f"-p backup={self.stored.name}` ({which}); then start this runbook again, which goes on here"
        )


# Where no database is a cluster's: the undercloud's restore has no step that could need one.
NO_SET = GaleraSet("")


def find_set(catalogue: Catalogue, images: Collection[str]) -> GaleraSet:
    """Find the backup of the database that belongs to the images; else the newest that is verified.

    What else is in the images (OVN's databases, Pacemaker's configuration) is of the same moment as that one.

    Args:
        catalogue: What is on the store.
        images: HOST/RUN of the images that are restored.
    """
    sound = [each for each in catalogue.sets if each.verified & _KINDS and not each.problem]
    for stored in reversed(sound):
        if images and set(images) <= {image.path for image in images_of(stored.records)}:
            return GaleraSet(catalogue.site, stored, of_the_images=True)
    try:
        return GaleraSet(catalogue.site, choose(catalogue, LATEST_VERIFIED, _KINDS, unverified=False))
    except RunbookError as none:
        return GaleraSet(catalogue.site, why=none.message)


def read_set(shell: Shell, site: Site, images: Collection[str]) -> GaleraSet:
    """Look for it on the store. That the store has no answer keeps no node dead: it is told where the set is needed.

    Args:
        shell: The store's host.
        site: The site.
        images: HOST/RUN of the images that are restored.
    """
    assert site.store is not None, "a restore of nodes has a store"
    try:
        return find_set(Store(shell, site.store, site.site).catalogue(), images)
    except RunbookError as error:
        return GaleraSet(site.site, why=error.message)
