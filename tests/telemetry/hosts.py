"""Hosts of the lab with agents that read their file once, at their start, as Ceilometer's do; and how they are looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tests.lab import Lab
from tests.lab.shell import wait_until

HERE = Path(__file__).parent
# The group that owns Ceilometer's files in kolla's images.
_GROUP = 42405


@dataclass(frozen=True)
class Seen:
    """What a host shows at one moment.

    Attributes:
        file: The text of the file that says how often is polled.
        owned: Its owner, group and mode.
        beside: What else lies in its folder: name → text, owner, group and mode.
        processes: Agent → the process that runs, and since when.
        read: Agent → what that process has read.
    """

    file: str
    owned: str
    beside: dict[str, tuple[str, str]]
    processes: dict[str, str]
    read: dict[str, str]


class Agent(ABC):
    """One agent on one host.

    Attributes:
        name: Its name.
        restarted: Whether another interval is to restart it.
    """

    name: str
    restarted: bool

    @abstractmethod
    def start(self, host: AgentHost) -> None:
        """Make and start it."""

    @abstractmethod
    def end(self, host: AgentHost) -> None:
        """End and remove it; nothing to do where there is none."""

    @abstractmethod
    def process(self, host: AgentHost) -> str:
        """Its process, and since when it runs."""

    @abstractmethod
    def read(self, host: AgentHost) -> str:
        """What its process has read at its start; empty before."""


@dataclass(frozen=True)
class AgentHost:
    """A host of the lab with agents.

    Attributes:
        lab: The lab.
        name: The host's name there.
        path: The file that says how often is polled.
        agents: What runs.
        folders: What is removed in the end: what the files lie in.
        decoys: Files with the same text that nothing is to change.
        configuration: Names of what else the layout has in the file's folder.
    """

    lab: Lab
    name: str
    path: str
    agents: Sequence[Agent]
    folders: Sequence[str]
    decoys: Sequence[str] = ()
    configuration: Sequence[str] = ()

    def sh(self, command: str, text: str | None = None) -> str:
        """Run a command as root, and return what it prints."""
        return self.lab.exec(self.name, command, input=text).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file as Puppet does: root's, and readable for Ceilometer."""
        self.sh(f"mkdir -p {quote(str(Path(path).parent))}; install -m 640 -g {_GROUP} /dev/stdin {quote(path)}", text)

    def make(self, text: str) -> None:
        """Lay the host out, with this text in the file, and start the agents."""
        self.remove()
        for path in (self.path, *self.decoys):
            self.write(path, text)
        self.write("/opt/agent/agent.sh", (HERE / "agent.sh").read_text())
        for agent in self.agents:
            agent.start(self)
        self.wait_read(self.agents)

    def remove(self) -> None:
        """Take away what `make` makes, and what a run that was cut short has left."""
        for agent in self.agents:
            agent.end(self)
        journal = "/var/lib/openstack-runbooks/set-telemetry-interval"
        self.sh(f"rm -rf /opt/agent /run/agent {journal} {' '.join(self.folders)}")

    def wait_read(self, agents: Sequence[Agent]) -> None:
        """Wait until these agents have read the file as it is: they count as started before they have."""
        text = self.sh(f"cat {self.path}")

        def waiting() -> str:
            return ", ".join(agent.name for agent in agents if agent.read(self) != text)

        wait_until(f"{self.name}: not every agent has read {self.path}", waiting, timeout=20)

    def look(self) -> Seen:
        """Look at everything, once those that are restarted have read the file."""
        self.wait_read([agent for agent in self.agents if agent.restarted])
        folder = Path(self.path).parent
        names = set(self.sh(f"ls -A {folder}").split()) - set(self.configuration)
        found = {name: self._file(folder / name) for name in sorted(names)}
        file, owned = found.pop(Path(self.path).name)
        return Seen(
            file,
            owned,
            found,
            processes={agent.name: agent.process(self) for agent in self.agents},
            read={agent.name: agent.read(self) for agent in self.agents},
        )

    def _file(self, path: Path) -> tuple[str, str]:
        return self.sh(f"cat {path}"), self.sh(f"stat -c '%u:%g %a' {path}").strip()


@dataclass(frozen=True)
class Layout:
    """Hosts that are laid out alike.

    Attributes:
        role: Their role in the inventory.
        hosts: The hosts.
        old: What the file says.
        new: What it is to say once the interval is 60 s.
    """

    role: str
    hosts: Sequence[AgentHost]
    old: str
    new: str

    def look(self) -> list[Seen]:
        """Look at every host."""
        return [host.look() for host in self.hosts]
