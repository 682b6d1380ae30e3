"""What every cloud starts from: the root file system, and the layer that makes a controller of it."""

import shutil
from pathlib import Path

from tests.lab.base import Base, digest, discard, unfinished
from tests.lab.paths import Paths
from tests.lab.shell import SCRIPTS, LabError, Progress, run
from tests.openstack import config, services
from tests.openstack.settings import ADDRESS, HOST, MEMBER_USERS, PACKAGES, POLLING_SECONDS, VCPU_PERCENT

_HERE = Path(__file__).resolve().parent
INSIDE = _HERE / "inside"
_UNREAD = ("doc", "info", "locale", "man")


def build(paths: Paths, progress: Progress, fresh: bool = False) -> Base:
    """Returns the base, after building what of it is not in the cache.

    Args:
        paths: Where the cache is.
        progress: Told about each part.
        fresh: Whether to build everything anew.
    """
    if set(str(paths.root)) & set(":,\\"):
        raise LabError(f"the cache's path must not contain ':', ',' or '\\', which overlayfs cannot take: {paths.root}")
    paths.cache.mkdir(parents=True, exist_ok=True)
    discard(*(path for path in paths.cache.iterdir() if path.name.startswith(".")))
    rootfs = paths.cache / f"rootfs-{digest([PACKAGES])}"
    base = Base(paths.cache / f"base-{digest([rootfs.name, *_sources()])}", rootfs)
    if fresh:
        discard(base.path, rootfs)
    if not rootfs.exists():
        _bootstrap(rootfs)
        progress("root file system with every package")
    if not base.path.exists():
        _prepare(base)
        progress("the controller's layer")
    return base


def _sources() -> list[Path | str]:
    """Returns everything that the layer is made from."""
    scripts: list[Path | str] = [SCRIPTS / "prepare-host.sh", SCRIPTS / "in-overlay.sh", _HERE / "base.py"]
    for path in sorted(INSIDE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            scripts += [str(path.relative_to(INSIDE)), path]
    for name, text in sorted(_generated().items()):
        scripts += [name, text]
    return [*scripts, *MEMBER_USERS]


def _bootstrap(target: Path) -> None:
    building = unfinished(target)
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={PACKAGES}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNREAD]
    # Ends with this process, even if that is killed, and takes its mounts along.
    contained = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount-proc", "--pid", "--fork", "--kill-child"]
    run([*contained, "mmdebstrap", *options, "bookworm", building], what=f"mmdebstrap {target.name}", timeout=1800)
    building.rename(target)


def _generated() -> dict[str, str]:
    """Returns the files that the controller gets from Python, by path."""
    return {
        **config.files(),
        **services.units(),
        "/etc/ceilometer/pipeline.yaml": config.PIPELINE,
        "/etc/systemd/system/provider-network.service": config.PROVIDER_NETWORK,
        "/etc/vcpu-percent": f"{VCPU_PERCENT}\n",
        "/etc/polling-seconds": f"{POLLING_SECONDS}\n",
    }


def _prepare(base: Base) -> None:
    building = unfinished(base.path)
    new = Base(building, base.rootfs)
    (building / "host-keys").mkdir(parents=True)
    for path, comment in ((new.key, "cloud"), (new.host_key(HOST.name), HOST.name)):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    kind, key, _ = new.host_key(HOST.name).with_suffix(".pub").read_text().split(maxsplit=2)
    new.known_hosts.write_text(f"{ADDRESS},{HOST.name} {kind} {key}\n")
    (building / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} {HOST.name} {HOST.name}.localdomain\n")
    generated = building / "generated"
    for name, text in _generated().items():
        file = generated / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    scripts: dict[Path, list[str | Path]] = {
        SCRIPTS / "prepare-host.sh": [new.key.with_suffix(".pub"), new.known_hosts, building / "hosts"],
        INSIDE / "prepare.sh": [INSIDE, generated, *MEMBER_USERS],
    }
    for script, arguments in scripts.items():
        overlay: list[str | Path] = ["unshare", "--mount", "bash", SCRIPTS / "in-overlay.sh"]
        run([*overlay, base.rootfs, building / "layer", building / "root", script, *arguments])
    for rest in ("layer.work", "root", "generated"):
        shutil.rmtree(building / rest)
    building.rename(base.path)
