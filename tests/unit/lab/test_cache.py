"""The cache holds every release, each beside the others."""

from __future__ import annotations

from pathlib import Path

from tests.lab import base, cache
from tests.lab.base import Base
from tests.lab.paths import Paths
from tests.lab.releases import RELEASES


def test_no_two_releases_share_a_part_of_the_cache(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    parts = [part for release in RELEASES.values() for part in base.rootfs(paths, release)]
    formed = {cache.formed(paths, Base(tmp_path / "base", tmp_path), release, 20) for release in RELEASES.values()}
    assert len(set(parts)) == 2 * len(RELEASES)
    assert len(formed) == len(RELEASES)


def test_pruning_leaves_other_releases_and_what_is_kept(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    kept = paths.cache / "base-bullseye-new"
    others = {"rootfs-trixie-host-1", "base-trixie-1", "formed-bookworm-1-20"}
    old = {"base-bullseye-old", "formed-bullseye-old-20", "rootfs-bullseye-image-old", "rootfs-host-old", "base-old"}
    for name in {kept.name, *others, *old}:
        (paths.cache / name).mkdir(parents=True)
    base.prune(paths, [kept], "bullseye")
    assert {path.name for path in paths.cache.iterdir()} == {kept.name, *others}
