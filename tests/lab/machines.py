"""The lab's hosts as machines: disks, power, a shell on each."""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from shlex import quote

from tests.lab import network, processes
from tests.lab.base import Base
from tests.lab.paths import Paths
from tests.lab.settings import HOSTS, Host
from tests.lab.shell import SCRIPTS, LabError, run, wait_until


class Machines:
    """Five hosts with a systemd each."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def create_disks(self, base: Base) -> None:
        """Makes empty disks with nothing but each host's own ssh key."""
        for name in HOSTS:
            keys = self.paths.disk(name) / "upper" / "etc" / "ssh"
            keys.mkdir(parents=True)
            for suffix in ("", ".pub"):
                shutil.copy(f"{base.host_key(name)}{suffix}", keys / f"ssh_host_ed25519_key{suffix}")

    def boot(self, names: Iterable[str], base: Base) -> None:
        """Switches hosts on with the disks that they have, and waits until one can log in to them."""
        names = list(names)
        network.add_bridge()
        for name in names:
            host = HOSTS[name]
            network.connect(host)
            processes.boot(host, self.paths.disk(name), base.lower, base.store)
        for name in names:
            wait_until(f"{name} did not let heat-admin in", partial(self._login, name), timeout=60)

    def _login(self, name: str) -> str:
        if processes.init(HOSTS[name]) is None:
            console = self.paths.disk(name) / "console.log"
            log = console.read_text(errors="replace") if console.exists() else "nothing yet"
            return f"no first process; its console: {log[-500:].strip()}"
        result = self.ssh(name, "true", check=False)
        return "" if result.returncode == 0 else result.stderr.strip() or f"exit code {result.returncode}"

    def ssh(self, name: str, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a shell command on a host over ssh as heat-admin, as the project's own code would."""
        # The quotes are read by ssh itself, which splits a file option at spaces.
        options = [
            f'UserKnownHostsFile="{self.paths.known_hosts}"',
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "ConnectTimeout=3",
        ]
        words = [word for option in options for word in ("-o", option)]
        address = f"heat-admin@{HOSTS[name].address}"
        return run(["ssh", "-F", "none", "-i", self.paths.key, *words, address, command], check=check, timeout=120)

    def exec(
        self,
        name: str,
        command: str | list[str],
        *,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run uses
        check: bool = True,
        timeout: float = 600,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root on a host, through its namespaces and not over ssh."""
        words = ["bash", "-c", command] if isinstance(command, str) else command
        shown = command if isinstance(command, str) else " ".join(command)
        entered = processes.enter(self.host(name), words)
        return run(entered, input=input, check=check, timeout=timeout, what=f"{name}: {shown[:200]}")

    def script(self, host: str, script: str, directory: str = "/root", /, **variables: str) -> None:
        """Runs one of the lab's shell scripts as root on a host.

        The variables go in with the script on standard input, since some are passwords.
        """
        head = "".join(f"{key}={quote(value)}\n" for key, value in variables.items())
        # In a function, so that bash has read all of it before a command in it can take from standard input.
        text = f"cd {quote(directory)}\n{head}main() {{\n{(SCRIPTS / script).read_text()}\n}}\nmain < /dev/null\n"
        self.exec(host, ["bash", "-s"], input=text)

    def kill(self, names: Iterable[str]) -> None:
        """Cuts the power of hosts; their disks stay as they are."""
        for name in names:
            processes.cut_power(self.host(name))
            network.disconnect(self.host(name))

    def running(self) -> list[str]:
        """Returns the names of the hosts that are on."""
        return [name for name, host in HOSTS.items() if processes.init(host) is not None]

    @staticmethod
    def host(name: str) -> Host:
        """Returns a host by its name.

        Raises:
            LabError: There is none of that name.
        """
        if name not in HOSTS:
            raise LabError(f"there is no host {name!r}; the lab has {', '.join(HOSTS)}")
        return HOSTS[name]


def on_all(names: Iterable[str], action: Callable[[str], object]) -> None:
    """Does the same on several hosts at once, and raises the first error after all have ended."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(action, name) for name in names]
    for future in futures:
        future.result()
