"""The control groups of a host, for both versions of them that a kernel has.

They are the record of what belongs to a host: whatever a process of it does, it stays in them. Everything in which the
versions differ is here and in the two scripts `mount-cgroup-*.sh`, which show a host its own.
"""

import errno
import os
import signal
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path

from tests.lab.shell import SCRIPTS, LabError

ROOT = Path("/sys/fs/cgroup")
# Where a process that joins a host from outside goes, below the host's own group.
_OUTSIDE = "outside"


class Groups(ABC):
    """The groups of hosts. A host's name here is PREFIX/NAME: all hosts of a kind have the first part in common."""

    version: int

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    @property
    def mount_script(self) -> Path:
        """The script that mounts a host's own groups where its systemd looks for them."""
        return SCRIPTS / f"mount-cgroup-v{self.version}.sh"

    @abstractmethod
    def hierarchies(self) -> list[Path]:
        """Returns the tops of the trees in which every process has a place."""

    @abstractmethod
    def record(self, host: str) -> Path:
        """Returns the group, one for all of a host's, below which its processes are looked for."""

    @abstractmethod
    def make(self, host: str) -> None:
        """Makes a host's groups, unless they are there."""

    @abstractmethod
    def outside(self, host: str) -> list[Path]:
        """Returns the groups which a process joins that acts on a host from outside."""

    @abstractmethod
    def kill(self, host: str, first: int | None) -> None:
        """Sends SIGKILL to what is on a host; may have to be repeated until nothing is left.

        Args:
            host: The host.
            first: The host's first process, if there is one.
        """

    def inside(self, host: str) -> list[Path]:
        """Returns the groups which a host's first process joins, and takes for the tops of all."""
        return [top / host for top in self.hierarchies()]

    def pids(self, host: str) -> list[int]:
        """Returns the ids of all processes that belong to a host, with the few outside that started it."""
        found = {int(pid) for group in below(self.record(host)) for pid in read(group / "cgroup.procs").split()}
        # A process that a namespace does not see is shown as 0.
        return sorted(found - {0})

    def remove(self, host: str) -> str:
        """Removes a host's groups; returns why one cannot be removed yet."""
        for top in self.inside(host):
            for group in below(top):
                try:
                    group.rmdir()
                except OSError as error:
                    return str(error)  # Still counted for a moment after its last process ended.
        return ""

    def remove_parents(self, prefix: str) -> None:
        """Removes the groups that hosts had in common."""
        for top in self.hierarchies():
            if (top / prefix).exists():
                (top / prefix).rmdir()

    def leftovers(self, prefix: str) -> list[str]:
        """Returns the hosts' groups and the processes in them, one sentence each."""
        found = []
        for top in self.hierarchies():
            if (top / prefix).exists():
                found.append(f"control group {top / prefix}")
            for group in below(top / prefix):
                found += [f"process {pid} in {group}" for pid in read(group / "cgroup.procs").split()]
        return found


class Version1(Groups):
    """A tree for each controller, each mounted in a directory of its own, as processes are in all of them at once."""

    version = 1

    def hierarchies(self) -> list[Path]:
        return sorted(path for path in self.root.iterdir() if path.is_dir())

    def record(self, host: str) -> Path:
        return self.root / "pids" / host

    def make(self, host: str) -> None:
        for top in self.hierarchies():
            (top / host).mkdir(parents=True, exist_ok=True)
            if (top / "cpuset.cpus").exists():
                self._give_processors(top, host)

    @staticmethod
    def _give_processors(top: Path, host: str) -> None:
        """Fills in what a group has to have before a process can join it, here and for all that the host makes."""
        group = top / host
        for file in ("cpuset.cpus", "cpuset.mems"):
            everything = (top / file).read_text()
            (group.parent / file).write_text(everything)
            (group / file).write_text(everything)
        (group / "cgroup.clone_children").write_text("1")

    def outside(self, host: str) -> list[Path]:
        return self.inside(host)

    def kill(self, host: str, first: int | None) -> None:
        # A frozen process does not die from SIGKILL, so what a pause has frozen is thawed first.
        for group in below(self.root / "freezer" / host):
            if read(group / "freezer.state").strip() != "THAWED":
                (group / "freezer.state").write_text("THAWED")
        # The kernel ends all others of a host with its first process. What started it from outside is left then.
        for pid in self.pids(host) if first is None else [first]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # It ended by itself in the meantime, which is what was wanted.


class Version2(Groups):
    """One tree with all controllers.

    The groups lie beside the machine's own slices. Its systemd, where it has one, leaves alone what it has not made. A
    scope that it delegates would need that systemd, which a machine that boots another way does not have.

    In this version a group that hands controllers down has no processes of its own. So a host's systemd, which hands
    them down in its tree, moves itself out of the host's group, and nothing from outside may stay there either.
    """

    version = 2

    def hierarchies(self) -> list[Path]:
        return [self.root]

    def record(self, host: str) -> Path:
        return self.root / host

    def make(self, host: str) -> None:
        group = self.root / host
        (group / _OUTSIDE).mkdir(parents=True, exist_ok=True)
        # A host has the machine's controllers. They stay handed down at the top when the host is gone, since somebody
        # else may have come to use them.
        for parent in (self.root, group.parent):
            for controller in (parent / "cgroup.controllers").read_text().split():
                _hand_down(parent, controller)

    def outside(self, host: str) -> list[Path]:
        return [self.root / host / _OUTSIDE]

    def kill(self, host: str, first: int | None) -> None:
        group = self.root / host
        if group.exists():
            # Takes what is frozen and what is just being forked, too.
            (group / "cgroup.kill").write_text("1")


def _hand_down(group: Path, controller: str) -> None:
    try:
        (group / "cgroup.subtree_control").write_text(f"+{controller}")
    except OSError as error:
        raise LabError(f"{group} does not hand the controller {controller!r} down: {error.strerror}") from error


@cache
def of_machine() -> Groups:
    """Returns the groups of the version that this machine has.

    Raises:
        LabError: It has neither.
    """
    return at(ROOT)


def at(root: Path) -> Groups:
    """Returns the groups of the version that is mounted at a directory."""
    # Only the top of a tree of version 2 is a tree itself; in version 1 each has a directory.
    if (root / "cgroup.controllers").exists():
        return Version2(root)
    if all((root / tree / "cgroup.procs").exists() for tree in ("systemd", "pids", "freezer")):
        return Version1(root)
    raise LabError(f"{root} has control groups neither of version 2, nor of version 1 with a directory a controller")


def below(top: Path) -> list[Path]:
    """Returns a group and all below it, deepest first; os.walk passes over one that ends meanwhile."""
    return [Path(path) for path, _, _ in os.walk(top, topdown=False)]


def read(path: Path) -> str:
    """Returns what a file of the kernel says; nothing if what it tells of has ended while a list was read."""
    try:
        return path.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.ENOTDIR):
            return ""
        raise
