"""Agents as kolla-ansible runs them: containers with a folder of the host each, and with a unit around each since 2023.1."""

from __future__ import annotations

import json
from dataclasses import dataclass
from shlex import quote

from tests.lab import Lab
from tests.lab.settings import IMAGE_TAGS
from tests.telemetry.hosts import HERE, Agent, AgentHost

_INSIDE = "/var/lib/kolla/config_files"
# What lies beside polling.yaml in a container's folder.
CONFIGURATION = ("ceilometer.conf", "config.json")


def folder_of(name: str) -> str:
    """The folder of the host that a container has its configuration from."""
    return f"/etc/kolla/{name.replace('_', '-')}"


POLLING_FILE = f"{folder_of('ceilometer_compute')}/polling.yaml"


def config_json(*names: str) -> str:
    """What config.json says, with these files."""
    files = [json.dumps({"source": f"{_INSIDE}/{name}", "dest": f"/etc/ceilometer/{name}"}) for name in names]
    command = "/bin/bash /opt/agent/agent.sh /etc/ceilometer/polling.yaml /seen"
    return f'{{"command": "{command}",\n"config_files": [\n' + ",\n".join(files) + "\n]}\n"


@dataclass(frozen=True)
class KollaContainer(Agent):
    """A container.

    Attributes:
        name: Its name.
        restarted: Whether another interval is to restart it.
        unit: Whether kolla-ansible has made a unit around it.
    """

    name: str
    restarted: bool
    unit: bool

    def start(self, host: AgentHost) -> None:
        folder = folder_of(self.name)
        host.write(f"{folder}/config.json", config_json("ceilometer.conf", "polling.yaml"))
        host.write(f"{folder}/ceilometer.conf", "[DEFAULT]\nlog_dir = /var/log/kolla/ceilometer\n")
        host.write("/opt/agent/kolla_start.sh", (HERE / "kolla_start.sh").read_text())
        given = {"name": self.name, "folder": folder, "unit": "yes" if self.unit else "no", "image": IMAGE_TAGS[0]}
        head = "".join(f"{key}={quote(value)}\n" for key, value in given.items())
        # In a function, so that bash has read all of it before a command in it can take from standard input.
        host.sh("exec bash", f"{head}main() {{\n{(HERE / 'kolla.sh').read_text()}\n}}\nmain < /dev/null\n")

    def end(self, host: AgentHost) -> None:
        host.sh(
            f"! systemctl cat {self._unit} >/dev/null 2>&1 || systemctl stop {self._unit}; "
            f"podman rm --force --ignore --time 0 {self.name}; "
            f"rm -f /etc/systemd/system/{self._unit}; systemctl daemon-reload"
        )

    def process(self, host: AgentHost) -> str:
        if self.unit:
            assert host.sh(f"systemctl is-active {self._unit}") == "active\n"
        return host.sh(
            f"podman inspect --type container --format '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' {self.name}"
        )

    def read(self, host: AgentHost) -> str:
        return host.sh(f"podman exec {self.name} sh -c '[ ! -e /seen ] || cat /seen'")

    @property
    def _unit(self) -> str:
        return f"kolla-{self.name}-container.service"


def kolla_host(lab: Lab, name: str, *containers: KollaContainer) -> AgentHost:
    """A host with containers, and a file in its own `/etc` that none of them reads."""
    files = [f"{folder_of(container.name)}/polling.yaml" for container in containers]
    decoys = ("/etc/ceilometer/polling.yaml", *(file for file in files if file != POLLING_FILE))
    return AgentHost(lab, name, POLLING_FILE, containers, ("/etc/kolla", "/etc/ceilometer"), decoys, CONFIGURATION)
