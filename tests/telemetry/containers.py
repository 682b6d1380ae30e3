"""Agents as TripleO runs them: containers that copy their configuration at their start, with a unit around each or without."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from tests.lab import Lab
from tests.lab.settings import IMAGE_TAGS
from tests.telemetry.hosts import HERE, Agent, AgentHost

GENERATED = "/var/lib/config-data/puppet-generated/ceilometer"
POLLING_FILE = f"{GENERATED}/etc/ceilometer/polling.yaml"
# What a package may have left on the host.
HOST_FILE = "/etc/ceilometer/polling.yaml"


@dataclass(frozen=True)
class Container(Agent):
    """A container.

    Attributes:
        name: Its name.
        restarted: Whether another interval is to restart it.
        unit: Whether TripleO has made a unit around it.
        alone: Whether its file is mounted alone, and not the folder that kolla_start copies, as TripleO has it. Such a mount
            keeps the file that was there when the container was started.
    """

    name: str
    restarted: bool
    unit: bool = False
    alone: bool = False

    def start(self, host: AgentHost) -> None:
        given = {"name": self.name, "image": IMAGE_TAGS[0], "generated": GENERATED}
        given |= {"mount": "file" if self.alone else "folder", "unit": "yes" if self.unit else "no"}
        head = "".join(f"{key}={quote(value)}\n" for key, value in given.items())
        # In a function, so that bash has read all of it before a command in it can take from standard input.
        host.sh("exec bash", f"{head}main() {{\n{(HERE / 'container.sh').read_text()}\n}}\nmain < /dev/null\n")

    def end(self, host: AgentHost) -> None:
        host.sh(
            f"! systemctl cat {self._unit} >/dev/null 2>&1 || systemctl stop {self._unit}; "
            f"podman rm --force --ignore --time 0 {self.name}; "
            f"rm -f /etc/systemd/system/{self._unit} /var/lib/kolla/config_files/{self.name}.json; systemctl daemon-reload"
        )

    def process(self, host: AgentHost) -> str:
        if self.unit:
            # Else systemd would take the container for ended, and start it anew.
            followed = host.sh(f"systemctl show --property MainPID --value {self._unit}")
            assert followed == self._state(host, "{{.State.ConmonPid}}")
        return self._state(host, "{{.State.Pid}} {{.State.StartedAt}}")

    def read(self, host: AgentHost) -> str:
        return host.sh(f"podman exec {self.name} sh -c '[ ! -e /seen ] || cat /seen'")

    def _state(self, host: AgentHost, wanted: str) -> str:
        return host.sh(f"podman inspect --type container --format {quote(wanted)} {self.name}")

    @property
    def _unit(self) -> str:
        return f"tripleo_{self.name}.service"


def container_host(lab: Lab, name: str, *containers: Container) -> AgentHost:
    """A host with containers, and a file in its own `/etc` that none of them reads."""
    return AgentHost(lab, name, POLLING_FILE, containers, (GENERATED, "/etc/ceilometer"), (HOST_FILE,))
