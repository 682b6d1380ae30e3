"""The processes of a host: found through its control groups, ended through its first process."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from tests.lab.settings import PREFIX
from tests.lab.shell import LabError, wait_until

CGROUPS = Path("/sys/fs/cgroup")
# Every process of a host is in each of the hierarchies; this one is looked at.
_RECORD = CGROUPS / "pids"


class Host(Protocol):
    """A host, by the name of its control groups."""

    @property
    def name(self) -> str:
        """The name below the control groups that all hosts have in common."""


def pids(host: Host, prefix: str = PREFIX) -> list[int]:
    """Returns the ids of all processes that belong to a host, with the few outside that started it."""
    found: set[int] = set()
    for group in _groups(_RECORD / prefix / host.name):
        found.update(int(pid) for pid in _read(group / "cgroup.procs").split())
    # A process that a namespace does not see is shown as 0.
    return sorted(found - {0})


def init(host: Host, prefix: str = PREFIX) -> int | None:
    """Returns the id of the host's first process, as this machine sees it; None if the host is off.

    It is the one that is number 1 one level down. A container's first process is number 1 two levels down.
    """
    for pid in pids(host, prefix):
        for line in _read(Path(f"/proc/{pid}/status")).splitlines():
            if line.startswith("NSpid:") and line.split()[2:] == ["1"]:
                return pid
    return None


def cut_power(host: Host, prefix: str = PREFIX) -> None:
    """Kills everything on a host at once and removes its control groups."""
    # A frozen process does not die from SIGKILL, so what a pause has frozen is thawed first.
    for group in _groups(CGROUPS / "freezer" / prefix / host.name):
        if _read(group / "freezer.state").strip() != "THAWED":
            (group / "freezer.state").write_text("THAWED")
    first = init(host, prefix)
    if first is not None:
        # The kernel ends all others of the host with it.
        _kill(first)
    wait_until(f"{host.name} did not end", lambda: _end_rest(host, prefix), timeout=30, interval=0.05)
    wait_until(
        f"{host.name}'s control groups did not go",
        lambda: _remove_cgroups(f"{prefix}/{host.name}"),
        timeout=10,
        interval=0.05,
    )


def _end_rest(host: Host, prefix: str) -> str:
    """Ends what started the host from outside, once the host itself is gone; returns what is still there."""
    if init(host, prefix) is None:
        for pid in pids(host, prefix):
            _kill(pid)
    rest = pids(host, prefix)
    return f"processes {rest}" if rest else ""


def remove_parents(prefix: str = PREFIX) -> None:
    """Removes the control groups that the hosts had in common."""
    for path in CGROUPS.glob(f"*/{prefix}"):
        path.rmdir()


def leftovers(prefix: str = PREFIX) -> list[str]:
    """Returns the lab's control groups and the processes in them, one sentence each."""
    found = []
    for path in sorted(CGROUPS.glob(f"*/{prefix}")):
        found.append(f"control group {path}")
        for group in _groups(path):
            found += [f"process {pid} in {group}" for pid in _read(group / "cgroup.procs").split()]
    return found


def mounts(below: Path) -> list[str]:
    """Returns the mount points of this machine below a directory, deepest first."""
    points = []
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
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
    join = 'for group in /sys/fs/cgroup/*/"$0"; do echo $$ > "$group/cgroup.procs" || exit 125; done; exec "$@"'
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", f"PATH={path}"]
    namespaces = ["nsenter", "--target", str(first), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"]
    return ["sh", "-c", join, f"{prefix}/{host.name}", *namespaces, *environment, *command]


def start(arguments: list[str | Path]) -> None:
    """Starts a script that returns at once and leaves a host behind."""
    # No pipes: the host's processes would inherit them, and reading to their end would wait for the host's.
    subprocess.run([str(word) for word in arguments], stdin=subprocess.DEVNULL, check=True, timeout=60)


def _groups(top: Path) -> list[Path]:
    """Returns a control group and all below it, deepest first; os.walk passes over one that ends meanwhile."""
    return [Path(path) for path, _, _ in os.walk(top, topdown=False)]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # It ended by itself in the meantime, which is what was wanted.


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return ""  # A process or its group that ended while the list was read.


def _remove_cgroups(name: str) -> str:
    """Removes a host's control groups; returns why one cannot be removed yet."""
    for top in CGROUPS.glob(f"*/{name}"):
        for group in _groups(top):
            try:
                group.rmdir()
            except OSError as error:
                return str(error)  # Still counted for a moment after its last process ended.
    return ""
