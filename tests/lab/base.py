"""What every lab starts from: the root file systems, the layer with the hosts' common files, the image store, the keys.

All of it lies in the cache under names that contain a hash of what it is made from, and gets its name only when it is
complete, so an interrupted build leaves nothing that could be mistaken for a whole one.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.paths import Paths
from tests.lab.processes import mounts
from tests.lab.releases import RELEASES, Release
from tests.lab.settings import (
    CONTROLLERS,
    HOST_PACKAGES,
    HOSTS,
    IMAGE_MARIADB,
    IMAGE_PACKAGES,
    IMAGE_TAGS,
    MACHINE_PACKAGES,
    VIP,
)
from tests.lab.shell import SCRIPTS, LabError, Progress, run

_HERE = Path(__file__).resolve().parent
_BASE_SOURCES = (
    *(_HERE / name for name in ("settings.py", "base.py")),
    *(SCRIPTS / name for name in ("prepare-host.sh", "prepare-image.sh", "import-image.sh")),
)


@dataclass(frozen=True)
class Base:
    """A complete base in the cache, with what is laid over it for the hosts of one lab."""

    path: Path
    rootfs: Path
    floor: Path | None = None

    @property
    def lower(self) -> str:
        """The read-only layers of every host, as overlayfs wants them."""
        floor = [] if self.floor is None else [self.floor]
        return ":".join(str(layer) for layer in (*floor, self.path / "layer", self.rootfs))

    @property
    def store(self) -> Path:
        """The read-only image store of every host."""
        return self.path / "store"

    @property
    def key(self) -> Path:
        """The private key for stack and heat-admin."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The hosts' public keys."""
        return self.path / "known_hosts"

    def host_key(self, name: str) -> Path:
        """A host's private key."""
        return self.path / "host-keys" / name


def digest(sources: Iterable[Path | str]) -> str:
    """Returns a short hash of files and strings."""
    total = hashlib.sha256()
    for source in sources:
        total.update(source.read_bytes() if isinstance(source, Path) else source.encode())
        total.update(b"\0")
    return total.hexdigest()[:12]


def install_packages(progress: Progress, packages: Sequence[str] = MACHINE_PACKAGES) -> None:
    """Installs what the lab, or another suite, needs on this machine, if something is missing."""
    status = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages], check=False).stdout
    missing = [name for name in packages if f"{name} installed" not in status.splitlines()]
    if missing:
        progress(f"installing {' '.join(missing)}")
        run(["apt-get", "-q", "update"])
        run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy", "--no-install-recommends", "install", *missing])


def build(paths: Paths, release: Release, progress: Progress, fresh: bool = False) -> Base:
    """Returns the base, after building what of it is not in the cache.

    Args:
        paths: Where the cache is.
        release: What the hosts and the image are made of.
        progress: Told about each part.
        fresh: Whether to build everything anew.
    """
    if set(str(paths.root)) & set(":,\\"):
        raise LabError(f"the cache's path must not contain ':', ',' or '\\', which overlayfs cannot take: {paths.root}")
    paths.cache.mkdir(parents=True, exist_ok=True)
    discard(*(path for path in paths.cache.iterdir() if path.name.startswith(".")))
    host, image = rootfs(paths, release)
    base = Base(paths.cache / f"base-{release.name}-{digest((*_BASE_SOURCES, host.name, image.name))}", host)
    if fresh:
        discard(base.path, host, image)
    with ThreadPoolExecutor() as pool:
        for future in [
            pool.submit(_bootstrap, host, release, HOST_PACKAGES, progress),
            pool.submit(_bootstrap, image, release, _image_packages(release), progress),
        ]:
            future.result()
    if not base.path.exists():
        _prepare(base, image, progress)
    return base


def rootfs(paths: Paths, release: Release) -> tuple[Path, Path]:
    """Returns where a release's root file systems are: the hosts' and the image's."""
    host, image = digest([release.mirror, HOST_PACKAGES]), digest([release.mirror, _image_packages(release)])
    return paths.cache / f"rootfs-{release.name}-host-{host}", paths.cache / f"rootfs-{release.name}-image-{image}"


def _image_packages(release: Release) -> str:
    return ",".join(filter(None, (IMAGE_PACKAGES, release.image_packages)))


def unfinished(target: Path) -> Path:
    """Returns the name under which a part of the cache is built.

    It is another one in each process, so that nothing which an interrupted build has left running can write into the
    next build.
    """
    return target.with_name(f".{os.getpid()}-{target.name}")


def prune(paths: Paths, keep: Iterable[Path], release: str = "") -> None:
    """Removes from the cache what was made from earlier versions of the lab's files.

    Args:
        paths: Where the cache is.
        keep: What stays.
        release: The release that was built; what is there of others stays as well.
    """
    kept, others = set(keep), {name for name in RELEASES if name != release}
    for pattern in ("base-*", "formed-*", "rootfs-*"):
        made = (path for path in paths.cache.glob(pattern) if path.name.split("-")[1] not in others)
        discard(*(path for path in made if path not in kept))


def discard(*directories: Path) -> None:
    """Removes directories; each loses its name first, so that half of one is never found under it."""
    for path in directories:
        if path.exists():
            gone = path.with_name(f".gone-{os.getpid()}-{path.name.lstrip('.')}")
            path.rename(gone)
            for point in mounts(gone):
                run(["umount", point])
            # Not shutil.rmtree: it would go on into what is mounted there by then.
            run(["rm", "--recursive", "--force", "--one-file-system", gone])


def _bootstrap(target: Path, release: Release, packages: str, progress: Progress) -> None:
    if target.exists():
        return
    building = unfinished(target)
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={packages}"]
    # Ends with this process, even if that is killed, and takes its mounts along.
    contained = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount-proc", "--pid", "--fork", "--kill-child"]
    words: list[str | Path] = ["mmdebstrap", *options, release.name, building]
    if release.mirror:
        words.append(release.mirror)
    run([*contained, *words], what=f"mmdebstrap {target.name}")
    building.rename(target)
    progress(f"root file system {target.name}")


def _prepare(base: Base, image: Path, progress: Progress) -> None:
    building = unfinished(base.path)
    new = Base(building, base.rootfs)
    (building / "host-keys").mkdir(parents=True)
    _make_key(new.key, "lab")
    for name in HOSTS:
        _make_key(new.host_key(name), name)
    new.known_hosts.write_text("".join(_known_host(new, name) for name in HOSTS))
    (building / "hosts").write_text(_hosts_file())
    overlay: list[str | Path] = ["unshare", "--mount", "bash", SCRIPTS / "in-overlay.sh"]
    common: list[str | Path] = [SCRIPTS / "prepare-host.sh", f"{new.key}.pub", new.known_hosts, building / "hosts"]
    run([*overlay, base.rootfs, building / "layer", building / "root", *common])
    progress("the hosts' common layer")
    shape: list[str | Path] = [SCRIPTS / "import-image.sh", SCRIPTS / "prepare-image.sh", base.rootfs]
    run([*overlay, image, building / "image", building / "root", *shape, new.store, IMAGE_MARIADB, *IMAGE_TAGS])
    for rest in ("image", "image.work", "layer.work", "root"):
        shutil.rmtree(building / rest)
    building.rename(base.path)
    progress("the image store")


def _make_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _known_host(base: Base, name: str) -> str:
    kind, key, _ = base.host_key(name).with_suffix(".pub").read_text().split(maxsplit=2)
    return f"{','.join((HOSTS[name].address, *_names(name)))} {kind} {key}\n"


def _names(name: str) -> list[str]:
    networks = ("", ".ctlplane", ".internalapi") if name in CONTROLLERS else ("", ".ctlplane")
    return [full for network in networks for full in (f"{name}{network}.localdomain", f"{name}{network}")]


def _hosts_file() -> str:
    lines = ["127.0.0.1 localhost localhost.localdomain"]
    for name, host in HOSTS.items():
        lines.append(f"{host.address} {' '.join(_names(name))}")
    lines.append(f"{VIP} overcloud.internalapi.localdomain overcloud.localdomain")
    return "\n".join(lines) + "\n"
