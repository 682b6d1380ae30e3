"""The processes of a host: found through its control groups, ended through its first process."""

import subprocess
from pathlib import Path
from typing import Protocol

from tests.lab.cgroups import of_machine, read
from tests.lab.settings import PREFIX
from tests.lab.shell import SCRIPTS, LabError, wait_until


class Host(Protocol):
    """A host, by the names of its control groups and of its network."""

    @property
    def name(self) -> str:
        """The name below the control groups that all hosts have in common."""

    @property
    def netns(self) -> str:
        """The name of its network namespace."""


def boot(host: Host, disk: Path, lower: str, store: Path, prefix: str = PREFIX) -> None:
    """Starts a host and returns at once.

    Args:
        host: The host; its network namespace is there.
        disk: The directory with what it writes.
        lower: The read-only layers below that, as overlayfs wants them.
        store: What it sees, read-only, as its image store.
        prefix: The first part of its control groups' name.
    """
    groups, group = of_machine(), _group(host, prefix)
    groups.make(group)
    script = ["bash", SCRIPTS / "boot-host.sh", host.name, disk, lower, store, host.netns, groups.mount_script]
    words = _join(groups.outside(group), [str(word) for word in (*script, *groups.inside(group))])
    # No pipes: the host's processes would inherit them, and reading to their end would wait for the host's.
    subprocess.run(words, stdin=subprocess.DEVNULL, check=True, timeout=60)


def pids(host: Host, prefix: str = PREFIX) -> list[int]:
    """Returns the ids of all processes that belong to a host, with the few outside that started it."""
    return of_machine().pids(_group(host, prefix))


def init(host: Host, prefix: str = PREFIX) -> int | None:
    """Returns the id of the host's first process, as this machine sees it; None if the host is off.

    It is the one that is number 1 one level down. A container's first process is number 1 two levels down.
    """
    for pid in pids(host, prefix):
        for line in read(Path(f"/proc/{pid}/status")).splitlines():
            if line.startswith("NSpid:") and line.split()[2:] == ["1"]:
                return pid
    return None


def cut_power(host: Host, prefix: str = PREFIX) -> None:
    """Kills everything on a host at once and removes its control groups."""
    wait_until(f"{host.name} did not end", lambda: _kill(host, prefix), timeout=30, interval=0.05)
    group = _group(host, prefix)
    wait_until(
        f"{host.name}'s control groups did not go", lambda: of_machine().remove(group), timeout=10, interval=0.05
    )


def _kill(host: Host, prefix: str) -> str:
    """Kills a host; returns what is still there."""
    of_machine().kill(_group(host, prefix), init(host, prefix))
    rest = pids(host, prefix)
    return f"processes {rest}" if rest else ""


def remove_parents(prefix: str = PREFIX) -> None:
    """Removes the control groups that the hosts had in common."""
    of_machine().remove_parents(prefix)


def leftovers(prefix: str = PREFIX) -> list[str]:
    """Returns the lab's control groups and the processes in them, one sentence each."""
    return of_machine().leftovers(prefix)


def mounts(below: Path) -> list[str]:
    """Returns the mount points of this machine below a directory, deepest first."""
    points = []
    for line in read(Path("/proc/self/mountinfo")).splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if Path(point).is_relative_to(below):
            points.append(point)
    return sorted(points, key=len, reverse=True)


def enter(host: Host, command: list[str], prefix: str = PREFIX) -> list[str]:
    """Returns the words that run a command as root on a host, without ssh.

    It joins the host's control groups first: podman looks its own up and would not find them.

    Raises:
        LabError: The host is off.
    """
    first = init(host, prefix)
    if first is None:
        raise LabError(f"{host.name} is off")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", f"PATH={path}"]
    namespaces = ["nsenter", "--target", str(first), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"]
    return _join(of_machine().outside(_group(host, prefix)), [*namespaces, *environment, *command])


def _join(groups: list[Path], command: list[str]) -> list[str]:
    """Returns the words of a command that joins control groups first."""
    return ["sh", str(SCRIPTS / "join-cgroups.sh"), *(str(group) for group in groups), "--", *command]


def _group(host: Host, prefix: str) -> str:
    return f"{prefix}/{host.name}"
