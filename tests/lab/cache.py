"""Disks of a cluster that was formed once, so that the next lab starts with it."""

import shutil
from pathlib import Path

from tests.lab.base import Base, digest, prune, rootfs, unfinished
from tests.lab.paths import Paths
from tests.lab.releases import Release
from tests.lab.settings import HOSTS
from tests.lab.shell import SCRIPTS, run

_HERE = Path(__file__).resolve().parent
_SOURCES = (
    *(SCRIPTS / name for name in ("controller.sh", "bundles.sh", "undercloud.sh")),
    *(
        _HERE / name
        for name in ("forming.py", "databases.py", "undercloud.py", "sql/schemas.sql", "sql/undercloud.sql")
    ),
)


def formed(paths: Paths, base: Base, release: Release, size_mb: int) -> Path:
    """Returns where the disks of a cluster are kept that has this base, these files and this size of databases."""
    return paths.cache / f"formed-{release.name}-{digest((base.path.name, str(release), *_SOURCES))}-{size_mb}"


def save(paths: Paths, base: Base, release: Release, target: Path) -> None:
    """Moves the disks of stopped hosts into the cache, and removes those that were made from earlier versions."""
    new = unfinished(target)
    new.mkdir()
    for name in HOSTS:
        shutil.rmtree(paths.disk(name) / "work")
        (paths.disk(name) / "merged").rmdir()
    (paths.run / "hosts").rename(new / "hosts")
    new.rename(target)
    of_this_version = paths.cache.glob(f"{target.name.rsplit('-', 1)[0]}-*")
    prune(paths, [base.path, *rootfs(paths, release), *of_this_version], release.name)


def restore(source: Path, paths: Paths) -> None:
    """Copies disks from the cache to where hosts start from."""
    # cp and not shutil: overlayfs keeps its own notes in extended attributes and device nodes.
    run(["cp", "--archive", "--reflink=auto", "--sparse=auto", source / "hosts", paths.run / "hosts"], timeout=300)
