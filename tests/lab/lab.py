"""The lab as one object: up, down, and everything that a test does with it in between."""

import json
import os
import shutil
import subprocess
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tests.lab import cache, cluster, databases, files, floors, forming, network, processes, undercloud
from tests.lab.base import Base, build, discard, install_packages
from tests.lab.cgroups import of_machine
from tests.lab.kinds import Kind, Wanted
from tests.lab.machines import Machines
from tests.lab.paths import LOCK, Paths
from tests.lab.releases import release_named
from tests.lab.settings import CONTROLLERS, HOSTS, PASSWORDS, UNDERCLOUD, VIP
from tests.lab.shell import LabError, Progress, exclusive

_HEALTHY_SECONDS = 300


class Lab:
    """Three controllers with a Galera cluster under Pacemaker, an undercloud and a backup host, on this machine."""

    controllers = CONTROLLERS
    vip = VIP
    passwords = PASSWORDS
    root_password = PASSWORDS["root"]

    def __init__(self, paths: Paths | None = None, quiet: bool = False) -> None:
        self.paths = paths or Paths.default()
        self.progress = Progress(quiet)
        self.machines = Machines(self.paths)

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self.paths.inventory

    @property
    def known_hosts(self) -> Path:
        """The file with the hosts' public keys."""
        return self.paths.known_hosts

    @property
    def key(self) -> Path:
        """The private key for stack and heat-admin."""
        return self.paths.key

    @property
    def site(self) -> Path:
        """The site file."""
        return self.paths.site

    def up(
        self,
        size_mb: int | None = None,
        use_cache: bool = True,
        *,
        release: str | None = None,
        floor: str | None = None,
    ) -> None:
        """Makes sure that there is a healthy lab.

        A complete lab is kept: hosts that are off are started, and it gets time to become healthy. Anything else that
        is there of a lab is torn down first.

        Args:
            size_mb: Size of the databases. None takes a lab that is up as it is, and makes a new one with 20 MB.
            use_cache: Whether to start from what earlier labs have left. Without it everything is built anew.
            release: The Debian of the hosts. None takes what LAB_RELEASE says, or else a lab that is up as it is, and
                makes a new one with bookworm.
            floor: The old versions below which the hosts refuse. None takes what LAB_FLOOR says, or else a lab that is
                up as it is, and makes a new one with none.

        Raises:
            LabError: It cannot be done, or a lab of another kind is up.
        """
        _require_root()
        wanted = Wanted.asked(release, floor, size_mb)
        with exclusive(LOCK, "up"):
            self.progress = Progress(self.progress.quiet)
            if use_cache and self._keep(wanted):
                return
            self._tear_down()
            self._make(wanted.of_new(), use_cache)

    def _keep(self, wanted: Wanted) -> bool:
        """Repairs a complete lab by giving it power and time; returns whether a healthy lab is there."""
        kind = self.kind()
        running = self.machines.running()
        if kind is None or not running:
            return False
        if other := wanted.differs_from(kind):
            raise LabError(f"the lab is up, but {other}; run `down` first")
        for name in HOSTS:
            if name not in running:
                self._start(name)
                self.progress(f"{name} was off, started")
        try:
            cluster.wait_healthy(self.machines, 120)
        except LabError as error:
            self.progress(f"the lab that is up cannot be kept: {error}")
            return False
        self.progress("the lab is up and healthy")
        return True

    def _make(self, kind: Kind, use_cache: bool) -> None:
        install_packages(self.progress)
        network.fence()
        release = release_named(kind.release)
        base = build(self.paths, release, self.progress, fresh=not use_cache)
        formed = cache.formed(self.paths, base, release, kind.size_mb)
        if not use_cache:
            discard(formed)
        self.paths.run.mkdir(parents=True)
        files.write_keys(self.paths, base)
        if not formed.exists():
            self._form(base, kind, formed)
        cache.restore(formed, self.paths)
        self.progress("disks copied from the cache")
        if kind.floor != floors.NO_FLOOR:
            base = floors.lay(base, self.paths.floor)
        self.machines.boot(HOSTS, base)
        self.progress("five hosts up")
        cluster.wait_healthy(self.machines, _HEALTHY_SECONDS)
        undercloud.wait_running(self.machines)
        files.write_site(self.paths)
        self._write_state(base, kind)
        self.progress(f"the lab is up and healthy ({kind})")

    def _form(self, base: Base, kind: Kind, formed: Path) -> None:
        """Forms a cluster with databases from nothing, stops it cleanly, and puts its disks into the cache."""
        release = release_named(kind.release)
        self.machines.create_disks(base)
        self.machines.boot(HOSTS, base)
        self.progress("five hosts up for the first time")
        self._give_undercloud_key()
        forming.form(self.machines, release, self.progress)
        cluster.wait_healthy(self.machines, _HEALTHY_SECONDS)
        self.progress("all three promoted")
        databases.create(self.machines, kind.size_mb, self.progress)
        forming.stop(self.machines)
        self.progress("cluster stopped cleanly")
        self.machines.kill(HOSTS)
        cache.save(self.paths, base, release, formed)
        self.progress("disks put into the cache")

    def _give_undercloud_key(self) -> None:
        """Lets the undercloud's stack user log in to the other hosts, as the undercloud of a deployment can."""
        key = self.key.read_text()
        install = "install -m 600 -o stack -g stack /dev/stdin /home/stack/.ssh/id_ed25519"
        self.machines.exec(UNDERCLOUD, install, input=key)

    def down(self) -> None:
        """Ends the lab and removes everything of it from this machine but the cache."""
        _require_root()
        with exclusive(LOCK, "down"):
            self.progress = Progress(self.progress.quiet)
            self._tear_down()
            network.unfence()
            if rest := self.leftovers():
                raise LabError("left behind: " + "; ".join(rest))
            self.progress("the lab is down")

    def _tear_down(self) -> None:
        """Removes the live lab, in whatever state it is, with what interrupted runs have left."""
        self.machines.kill(HOSTS)
        processes.remove_parents()
        network.remove_bridge()
        for point in processes.mounts(self.paths.root):
            subprocess.run(["umount", point], check=True)
        discard(self.paths.run, *self.paths.root.glob(".gone-*"))

    def leftovers(self) -> list[str]:
        """Returns what of a lab is there on this machine, besides the cache; one sentence each."""
        found = processes.leftovers() + network.leftovers()
        found += [f"mount {point}" for point in processes.mounts(self.paths.root)]
        return found + ([f"files in {self.paths.run}"] if self.paths.run.exists() else [])

    def exec(
        self,
        host: str,
        command: str | list[str],
        input: str | None = None,  # noqa: A002 - the name that subprocess.run uses
        check: bool = True,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root on a host, not over ssh; a string goes to bash."""
        return self.machines.exec(host, command, input=input, check=check, timeout=timeout)

    def kill(self, host: str) -> None:
        """Cuts a host's power."""
        self.machines.kill([host])

    def start(self, host: str) -> None:
        """Switches a host on with the disk that it has, and waits until one can log in."""
        if self._state() is None:
            raise LabError("the lab is not up")
        if host in self.machines.running():
            raise LabError(f"{host} is on")
        self._start(host)

    def _start(self, host: str) -> None:
        self.machines.kill([host])
        self.machines.boot([host], self.base())

    def sql(self, host: str, statement: str) -> str:
        """Runs SQL as root through the socket in a controller's galera container; columns are parted by tabs."""
        return cluster.sql(self.machines, host, statement)

    def run_script(self, host: str, script: str, directory: str, **variables: str) -> None:
        """Runs one of the lab's shell scripts as root in a directory of a host."""
        self.machines.script(host, script, directory, **variables)

    def wait_healthy(self, timeout: float = _HEALTHY_SECONDS) -> None:
        """Waits until all three are promoted and synced and the VIP answers."""
        cluster.wait_healthy(self.machines, timeout)

    def missing(self) -> str:
        """Returns the first thing that keeps the lab from being healthy, or an empty string."""
        return cluster.missing(self.machines)

    def kind(self) -> Kind | None:
        """Returns which kind of lab is up, or None."""
        state = self._state()
        return None if state is None else Kind(**{field.name: state[field.name] for field in fields(Kind)})

    def base(self) -> Base:
        """Returns what the lab that is up was made from.

        Raises:
            LabError: None is up.
        """
        state = self._state()
        if state is None:
            raise LabError("the lab is not up")
        floor = None if state["floor"] == floors.NO_FLOOR else self.paths.floor
        return Base(Path(state["base"]), Path(state["rootfs"]), floor)

    def _state(self) -> dict[str, Any] | None:
        if not self.paths.state.exists():
            return None
        # What a lab lacks that was made by an earlier version of these files has its default.
        return {**asdict(Kind()), **json.loads(self.paths.state.read_text())}

    def _write_state(self, base: Base, kind: Kind) -> None:
        state = {"base": str(base.path), "rootfs": str(base.rootfs), **asdict(kind)}
        new = self.paths.state.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.rename(self.paths.state)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes namespaces, mounts and control groups")
    if shutil.which("apt-get") is None:
        raise LabError("the lab needs a Debian: it installs packages with apt-get")
    of_machine()
