"""Boots one host of no lab, without a network, and tells what it saw: `python -m tests.lab.one_host`.

Run in a mount namespace in which this machine has the other version of control groups (`on_version_2`), it shows that
the lab's hosts are no worse there.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.lab import processes
from tests.lab.cgroups import ROOT, of_machine
from tests.lab.settings import IMAGE_TAGS
from tests.lab.shell import run, wait_until

PREFIX = "rbone"


class OneHost:
    """The host."""

    name = "one"
    netns = f"{PREFIX}-one"


HOST = OneHost()


def on_version_2(command: list[str]) -> list[str]:
    """Returns the words that run a command as on a machine whose control groups are of version 2 alone."""
    # Each kind of controller is in the trees of one version only, on the whole machine. So what is in version 1 is
    # missing; hosts and containers can do without.
    mount = f'umount --recursive {ROOT}; mount -t cgroup2 cgroup2 {ROOT}; exec "$@"'
    return ["unshare", "--mount", "sh", "-e", "-c", mount, "sh", *command]


def look(disk: Path, lower: str, store: Path) -> dict[str, object]:
    """Boots the host, pauses a container on it, cuts its power, and returns what it saw of each."""
    disk.mkdir(parents=True, exist_ok=True)
    run(["ip", "netns", "add", HOST.netns])
    try:
        processes.boot(HOST, disk, lower, store, PREFIX)
        wait_until("the host did not boot", lambda: _booting(disk), timeout=60)
        seen = {
            "version": of_machine().version,
            "units that failed": _on_host("systemctl --failed --plain -q --no-legend"),
        }
        seen |= _paused()
        return seen | {"left after the power cut": _left_after_power_cut()}
    finally:
        processes.cut_power(HOST, PREFIX)
        processes.remove_parents(PREFIX)
        run(["ip", "netns", "delete", HOST.netns])


def _booting(disk: Path) -> str:
    if processes.init(HOST, PREFIX) is None:
        console = disk / "console.log"
        return (
            f"no first process; its console: {console.read_text(errors='replace')[-500:] if console.exists() else ''}"
        )
    state = _on_host("systemctl is-system-running", check=False)
    # It is degraded when a unit has failed, and which one is worth more than a wait. It is nothing while the first
    # process is still on its way to becoming systemd, or has no socket yet.
    return "" if state in ("running", "degraded") else state or "no answer from systemd"


def _paused() -> dict[str, object]:
    """Pauses a container, lets it go on and pauses it again."""
    _on_host(f"podman run --detach --name counter --net none {IMAGE_TAGS[0]} sleep infinity")
    listed = "podman ps --filter status=paused --format '{{.Names}}'"
    seen = []
    for verb in ("pause", "unpause", "pause"):
        _on_host(f"podman {verb} counter")
        seen.append(_on_host(listed))
    return {"paused after pause, unpause, pause": seen}


def _left_after_power_cut() -> list[str]:
    processes.cut_power(HOST, PREFIX)
    processes.remove_parents(PREFIX)
    return processes.leftovers(PREFIX)


def _on_host(command: str, check: bool = True) -> str:
    return run(processes.enter(HOST, ["bash", "-c", command], PREFIX), check=check, timeout=60).stdout.strip()


def main() -> None:
    """Prints what `look` saw, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.one_host", description=__doc__)
    parser.add_argument("disk", type=Path)
    parser.add_argument("lower")
    parser.add_argument("store", type=Path)
    options = parser.parse_args()
    json.dump(look(options.disk, options.lower, options.store), sys.stdout)


if __name__ == "__main__":
    main()
