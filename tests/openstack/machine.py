"""The cloud's one machine: its network on this machine, its power, a shell on it."""

import shutil
import subprocess
from pathlib import Path

from tests.lab import network, processes
from tests.lab.base import Base
from tests.lab.paths import Paths
from tests.lab.shell import run, wait_until
from tests.openstack.settings import ADDRESS, GATEWAY, HOST, LINK, PREFIX, PUBLIC, SUBNETS


class Machine:
    """The controller."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.disk = paths.disk(HOST.name)

    def create_disk(self, base: Base) -> None:
        """Makes an empty disk with nothing but the host's ssh key."""
        keys = self.disk / "upper" / "etc" / "ssh"
        keys.mkdir(parents=True)
        for suffix in ("", ".pub"):
            shutil.copy(f"{base.host_key(HOST.name)}{suffix}", keys / f"ssh_host_ed25519_key{suffix}")

    def boot(self, base: Base) -> None:
        """Switches the machine on with the disk that it has, and waits until one can log in."""
        self._connect()
        # Where a host of the lab has its image store, this one has the file system that Nova's servers start from.
        processes.boot(HOST, self.disk, base.lower, base.rootfs, PREFIX)
        wait_until(f"{HOST.name} did not let heat-admin in", self._login, timeout=60)

    def _connect(self) -> None:
        """Makes the cable between this machine and the cloud; there is no way from the cloud to anything else."""
        for subnet in SUBNETS:
            network.fence(subnet)
        run(["ip", "netns", "add", HOST.netns])
        run(["ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", HOST.netns])
        run(["ip", "address", "add", f"{GATEWAY}/24", "dev", LINK])
        run(["ip", "link", "set", LINK, "up"])
        inside = ["ip", "-n", HOST.netns]
        run([*inside, "link", "set", "lo", "up"])
        run([*inside, "address", "add", f"{ADDRESS}/24", "dev", "eth0"])
        run([*inside, "link", "set", "eth0", "up"])
        run(["ip", "route", "add", PUBLIC, "via", ADDRESS])

    def _login(self) -> str:
        if not self.on:
            console = self.disk / "console.log"
            log = console.read_text(errors="replace") if console.exists() else "nothing yet"
            return f"no first process; its console: {log[-500:].strip()}"
        result = self.ssh("true")
        return "" if result.returncode == 0 else result.stderr.strip() or f"exit code {result.returncode}"

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell command over ssh as heat-admin, as the project's own code would."""
        return ssh(f"heat-admin@{ADDRESS}", command, key=self.paths.key, known_hosts=self.paths.known_hosts)

    @property
    def on(self) -> bool:
        """Whether the machine runs."""
        return processes.init(HOST, PREFIX) is not None

    def enter(self, command: list[str]) -> list[str]:
        """Returns the words that run a command as root on the machine, without ssh."""
        return processes.enter(HOST, command, PREFIX)

    def exec(
        self,
        command: str | list[str],
        *,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run uses
        check: bool = True,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root on the machine, through its namespaces and not over ssh; a string goes to bash."""
        words = ["bash", "-c", command] if isinstance(command, str) else command
        shown = command if isinstance(command, str) else " ".join(command)
        return run(self.enter(words), input=input, check=check, timeout=timeout, what=f"{HOST.name}: {shown[:200]}")

    def kill(self) -> None:
        """Cuts the machine's power, with everything that runs on it, and removes its network."""
        processes.cut_power(HOST, PREFIX)
        processes.remove_parents(PREFIX)
        # Its routes go with it.
        if LINK in network.links():
            run(["ip", "link", "delete", LINK])
        if Path("/run/netns", HOST.netns).exists():
            run(["ip", "netns", "delete", HOST.netns])

    def leftovers(self) -> list[str]:
        """Returns what of the cloud is there on this machine, one sentence each."""
        found = processes.leftovers(PREFIX)
        found += [f"link {name}" for name in sorted(network.links()) if name.startswith(PREFIX)]
        if Path("/run/netns", HOST.netns).exists():
            found.append(f"network namespace {HOST.netns}")
        for subnet in SUBNETS:
            routes = run(["ip", "route", "show", "table", "all", "root", subnet]).stdout
            found += [f"route: {line.strip()}" for line in routes.splitlines()]
        found += [f"mount {point}" for point in processes.mounts(self.paths.root)]
        return found + ([f"files in {self.paths.run}"] if self.paths.run.exists() else [])


def ssh(
    target: str, command: str, *, key: Path, known_hosts: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Runs a shell command over ssh.

    Args:
        target: User and address.
        command: The command.
        key: Private key.
        known_hosts: File with the host's key; a host that is not in it is refused.
        timeout: Seconds.

    Returns:
        What became of it; 255 is ssh's own exit code.
    """
    # The quotes are read by ssh itself, which splits a file option at spaces.
    options = [
        f'UserKnownHostsFile="{known_hosts}"',
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "ConnectTimeout=3",
    ]
    words = [word for option in options for word in ("-o", option)]
    return run(["ssh", "-F", "none", "-i", key, *words, target, command], check=False, timeout=timeout)
