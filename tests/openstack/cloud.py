"""The cloud as one object: up, down, and everything that a test does with it in between."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.lab import network, processes
from tests.lab.base import Base, digest, discard, install_packages, prune, unfinished
from tests.lab.cgroups import of_machine
from tests.lab.paths import Paths
from tests.lab.shell import LabError, Progress, exclusive, run, wait_until
from tests.openstack import access, forming, health
from tests.openstack.base import build
from tests.openstack.faults import Faults
from tests.openstack.machine import Machine
from tests.openstack.settings import ADMIN_CLOUD, CLOUD, PREFIX, SUBNETS

LOCK = Path(f"/run/lock/{PREFIX}")
_READY_SECONDS = 600
_HERE = Path(__file__).resolve().parent
_FORMED_BY = [_HERE / name for name in ("forming.py", "identities.py", "resources.py")]


class Cloud:
    """One controller with every service of OpenStack that the runbooks use, on this machine."""

    name = CLOUD
    admin_name = ADMIN_CLOUD

    def __init__(self, paths: Paths | None = None, quiet: bool = False) -> None:
        self.paths = paths or Paths.default("openstack")
        self.progress = Progress(quiet)
        self.machine = Machine(self.paths)
        self.faults = Faults(self.machine)

    @property
    def clouds_file(self) -> Path:
        """The clouds.yaml with a project's user and the administrator."""
        return Path(access.clouds_file(self.paths))

    @property
    def site(self) -> Path:
        """The site file."""
        return self.paths.site

    @property
    def key(self) -> Path:
        """The private key for heat-admin on the controller, and of the key pair in Nova."""
        return self.paths.key

    def up(self, use_cache: bool = True) -> None:
        """Makes sure that there is a cloud in which everything works and no fault is on.

        A complete cloud is kept, with what is in it: services that are down are started. Anything else that is there
        of a cloud is torn down first.

        Args:
            use_cache: Whether to start from what earlier clouds have left. Without it everything is built anew.

        Raises:
            LabError: It cannot be done.
        """
        _require_root()
        with exclusive(LOCK, "up"):
            self.progress = Progress(self.progress.quiet)
            if use_cache and self._keep():
                return
            self._tear_down()
            self._make(use_cache)

    def _keep(self) -> bool:
        """Repairs a complete cloud by clearing faults and starting services; returns whether it works then."""
        if not (self.paths.state.exists() and self.machine.on):
            return False
        if json.loads(self.paths.state.read_text())["formed"] != str(self._formed(self._base())):
            self.progress("the cloud that is up was made from other files")
            return False
        try:
            self.faults.clear()
            forming.start(self.machine)
            self._wait_ready(120)
        except LabError as error:
            self.progress(f"the cloud that is up cannot be kept: {error}")
            return False
        self.progress("the cloud is up")
        return True

    def _make(self, use_cache: bool) -> None:
        install_packages(self.progress)
        for subnet in SUBNETS:
            network.fence(subnet)
        base = build(self.paths, self.progress, fresh=not use_cache)
        formed = self._formed(base)
        if not use_cache:
            discard(formed)
        self.paths.run.mkdir(parents=True)
        self._write_files(base)
        if not formed.exists():
            self._form(base, formed)
        self.machine.disk.parent.mkdir(exist_ok=True)
        # cp and not shutil: overlayfs keeps its own notes in extended attributes and device nodes.
        run(["cp", "--archive", "--reflink=auto", "--sparse=auto", formed, self.machine.disk], timeout=300)
        self.machine.boot(base)
        self.progress("the controller is up")
        forming.start(self.machine)
        self._wait_ready(_READY_SECONDS)
        state = self.paths.state.with_suffix(".new")
        state.write_text(json.dumps({"base": str(base.path), "rootfs": str(base.rootfs), "formed": str(formed)}))
        state.rename(self.paths.state)
        self.progress("the cloud is up")

    def _write_files(self, base: Base) -> None:
        for suffix in ("", ".pub"):
            shutil.copy(f"{base.key}{suffix}", f"{self.paths.key}{suffix}")
        self.paths.key.chmod(0o600)
        shutil.copy(base.known_hosts, self.paths.known_hosts)
        access.write(self.paths)

    def _form(self, base: Base, formed: Path) -> None:
        """Makes the cloud from nothing, stops it cleanly, and puts its disk into the cache."""
        self.machine.create_disk(base)
        self.machine.boot(base)
        self.progress("the controller is up for the first time")
        forming.form(self.machine, self.progress)
        forming.stop(self.machine)
        self.machine.kill()
        new = unfinished(formed)
        new.mkdir()
        (self.machine.disk / "upper").rename(new / "upper")
        discard(self.machine.disk)
        new.rename(formed)
        prune(self.paths, [base.path, base.rootfs, formed])
        self.progress("services stopped, disk put into the cache")

    def _formed(self, base: Base) -> Path:
        return self.paths.cache / f"formed-{digest([base.path.name, *_FORMED_BY])}"

    def _base(self) -> Base:
        state = json.loads(self.paths.state.read_text())
        return Base(Path(state["base"]), Path(state["rootfs"]))

    def down(self) -> None:
        """Ends the cloud and removes everything of it from this machine but the cache."""
        _require_root()
        with exclusive(LOCK, "down"):
            self.progress = Progress(self.progress.quiet)
            self._tear_down()
            for subnet in SUBNETS:
                network.unfence(subnet)
            if rest := self.leftovers():
                raise LabError("left behind: " + "; ".join(rest))
            self.progress("the cloud is down")

    def _tear_down(self) -> None:
        """Removes the live cloud, in whatever state it is, with what interrupted runs have left."""
        self.machine.kill()
        for point in processes.mounts(self.paths.root):
            run(["umount", point])
        discard(self.paths.run, *self.paths.root.glob(".gone-*"))

    def leftovers(self) -> list[str]:
        """Returns what of a cloud is there on this machine, besides the cache; one sentence each."""
        return self.machine.leftovers()

    def missing(self) -> str:
        """Returns the first thing that keeps the cloud from being whole, or an empty string."""
        return health.missing(self.machine, lambda: self.connect(ADMIN_CLOUD))

    def _wait_ready(self, seconds: float) -> None:
        wait_until("the cloud did not become whole", self.missing, seconds, interval=0.5)

    def connect(self, cloud: str = CLOUD) -> Any:
        """Returns a connection of openstacksdk, as the project's user unless another cloud is named."""
        return access.connect(self.paths, cloud)

    def exec(
        self,
        command: str | list[str],
        input: str | None = None,  # noqa: A002 - the name that subprocess.run uses
        check: bool = True,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root on the controller, not over ssh; a string goes to bash."""
        return self.machine.exec(command, input=input, check=check, timeout=timeout)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the cloud needs root: it makes namespaces, mounts and control groups")
    if shutil.which("apt-get") is None:
        raise LabError("the cloud needs a Debian: it installs packages with apt-get")
    of_machine()
