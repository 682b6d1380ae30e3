"""The images of nodes that belong to backup sets: which are there, and which go with a set that goes."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.records import ImageKind, images_of
from tasks.backup.store import Store
from tasks.rear.images import images_root
from tasks.rear.stored import StoredImage, list_stored


def read_images(store: Store, catalogue: Catalogue, findings: list[str]) -> dict[str, StoredImage]:
    """Ask the store for the images of all nodes of which any set has one.

    Args:
        store: The store.
        catalogue: What is on it.
        findings: What is told: images that are gone, or no set's.

    Returns:
        HOST/RUN → the image.
    """
    of_sets = {image.path: stored for stored in catalogue.sets for image in images_of(stored.records)}
    records = [*(stored.records for stored in catalogue.sets), *catalogue.records_of_removing.values()]
    paths = {image.path: image.host for each in records for image in images_of(each)}
    if not paths:
        return {}
    stored = list_stored(store.shell, images_root(store.settings), sorted(set(paths.values())))
    there = {image.path: image for image in stored}
    findings += [
        f"{stored.name}: its image {path} is gone, or not whole any more: it is not counted"
        for path, stored in of_sets.items()
        if path not in there or not there[path].whole
    ]
    findings += [
        f"image {image.path} is no backup's ({image.size_bytes / 2**30:.1f} GiB), and stays: its run has failed, or somebody has "
        "made it by hand"
        for path, image in there.items()
        if path not in paths
    ]
    return there


def going_images(catalogue: Catalogue, goes: set[str], there: Mapping[str, StoredImage]) -> dict[str, int]:
    """The images of the sets that go, and of those whose removal was begun.

    Args:
        catalogue: What is on the store.
        goes: Ids of the sets that go.
        there: HOST/RUN → the images that are there.

    Returns:
        HOST/RUN → what it takes.
    """
    records = [stored.records for stored in catalogue.sets if str(stored.name) in goes]
    paths = [image.path for each in (*records, *catalogue.records_of_removing.values()) for image in images_of(each)]
    return {path: there[path].size_bytes for path in paths if path in there}


def image_kinds(stored: StoredSet, there: Mapping[str, StoredImage]) -> frozenset[ImageKind]:
    """The kinds of image that a set holds, one for each node; one that is gone or not whole any more is none.

    Args:
        stored: The set.
        there: HOST/RUN → the images that are there.
    """
    runbook = stored.name.folder.rpartition("-")[0]
    whole = (image for image in images_of(stored.records) if image.path in there and there[image.path].whole)
    return frozenset(ImageKind(runbook, image.host) for image in whole)
