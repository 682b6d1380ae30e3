"""Agents as OSP 8 runs them: systemd's units on the host itself."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab import Lab
from tests.telemetry.hosts import Agent, AgentHost

PIPELINE_FILE = "/etc/ceilometer/pipeline.yaml"


@dataclass(frozen=True)
class Unit(Agent):
    """A unit.

    Attributes:
        name: Its name, without `.service`.
        restarted: Whether another interval is to restart it.
    """

    name: str
    restarted: bool

    def start(self, host: AgentHost) -> None:
        command = f"/bin/bash /opt/agent/agent.sh {PIPELINE_FILE} {self._seen}"
        host.write(self._file, f"[Service]\nExecStart={command}\n")
        host.sh(f"mkdir -p /run/agent; systemctl daemon-reload; systemctl start {self.name}")

    def end(self, host: AgentHost) -> None:
        host.sh(f"[ ! -e {self._file} ] || systemctl stop {self.name}; rm -f {self._file}; systemctl daemon-reload")

    def process(self, host: AgentHost) -> str:
        return host.sh(f"systemctl show --property MainPID,ExecMainStartTimestampMonotonic {self.name}")

    def read(self, host: AgentHost) -> str:
        return host.sh(f"[ ! -e {self._seen} ] || cat {self._seen}")

    @property
    def _file(self) -> str:
        return f"/etc/systemd/system/{self.name}.service"

    @property
    def _seen(self) -> str:
        return f"/run/agent/{self.name}"


def unit_host(lab: Lab, name: str, *units: Unit) -> AgentHost:
    """A host with units."""
    return AgentHost(lab, name, PIPELINE_FILE, units, ("/etc/ceilometer",))
