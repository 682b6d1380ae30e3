"""What runs on a node: its containers, the units that TripleO makes for them, their health checks, Pacemaker and its resources.

It is recorded before containers are paused and the cluster is stopped (BR 2.5 and 3.5, step 3), so that just that runs again
afterwards, and can be compared.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from blocks.remote.command import question, script
from blocks.remote.errors import CommandTimedOut
from blocks.remote.shell import Shell
from tasks.node.tripleo_services import OWN_PREFIX, UNIT_PREFIX

RUNNING, PAUSED, STOPPING = "running", "paused", "stopping"
ACTIVE = "active"
_HEALTH_CHECK = re.compile(r"_healthcheck\.timer$")
# Pacemaker names a bundle's containers by its agent and their number.
_OF_BUNDLE = re.compile(r"-(podman|docker)-\d+$")
_DATABASES = ("galera", "mysql")
# OVN's, where Pacemaker does not run them: they are asked for a backup while all else is paused.
_OVN_DATABASE = "_db_server"
_STARTED = {"Started", "Promoted", "Unpromoted", "Master", "Slave"}

# A container may be removed between the list and the look at each.
_READ = """
containers() {
  listed=$(podman container ls --all --format '{{.Names}}') || return
  [ -n "$listed" ] || return 0
  mapfile -t names <<<"$listed"
  podman inspect --type=container --format 'container {{.Name}} {{.State.Status}}' "${names[@]}"
}
seen=$(containers) || seen=$(containers)
printf '%s\\n' "$seen"
systemctl list-units --all --plain --no-legend --type=service,timer 'tripleo_*' |
  awk '$2 == "loaded" { print "unit", $1, $3 }'
if systemctl is-active --quiet pacemaker.service; then
  echo cluster Pacemaker active
elif [ -e /etc/corosync/corosync.conf ]; then
  echo cluster Pacemaker inactive
fi
"""


@dataclass(frozen=True)
class Running:
    """What is there, and in which state.

    Attributes:
        containers: Name → podman's word (running, paused, exited, stopping).
        units: TripleO's services and timers → systemd's word (active, inactive, failed).
        pacemaker: systemd's word for it; empty on a host that is no node of a cluster.
        resources: Pacemaker's resources that run in the whole cluster, one for each time that they do.
    """

    containers: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    pacemaker: str = ""
    resources: tuple[str, ...] = ()

    def __str__(self) -> str:
        running = sum(state == RUNNING for state in self.containers.values())
        pacemaker = f", Pacemaker {self.pacemaker}" if self.pacemaker else ""
        return f"{running} containers, {len(self.health_checks)} health checks{pacemaker}"

    def in_state(self, state: str) -> list[str]:
        """The containers that are in a state."""
        return sorted(name for name, seen in self.containers.items() if seen == state)

    @property
    def to_pause(self) -> tuple[str, ...]:
        """The containers that a backup pauses: all that run but the databases', Pacemaker's bundles, and our own."""
        return tuple(name for name in self.in_state(RUNNING) if may_be_paused(name))

    @property
    def health_checks(self) -> tuple[str, ...]:
        """The timers of health checks that are active."""
        return tuple(
            unit for unit, state in sorted(self.units.items()) if _HEALTH_CHECK.search(unit) and state == ACTIVE
        )

    @property
    def stopped_health_checks(self) -> tuple[str, ...]:
        """The timers of health checks that are not."""
        return tuple(
            unit for unit, state in sorted(self.units.items()) if _HEALTH_CHECK.search(unit) and state != ACTIVE
        )

    @property
    def clustered(self) -> bool:
        """Whether Pacemaker runs."""
        return self.pacemaker == ACTIVE


def container_of(health_check: str) -> str:
    """The container that a health check's timer is for."""
    return _HEALTH_CHECK.sub("", health_check).removeprefix(UNIT_PREFIX)


def may_be_paused(container: str) -> bool:
    """Whether a backup pauses a container of this name."""
    database = any(part in container for part in _DATABASES) or container.endswith(_OVN_DATABASE)
    return not database and not container.startswith(OWN_PREFIX) and not _OF_BUNDLE.search(container)


def parse_running(text: str, resources: tuple[str, ...] = ()) -> Running:
    """Read what a host prints: a kind, a name and a state a line."""
    found: dict[str, dict[str, str]] = {"container": {}, "unit": {}, "cluster": {}}
    for kind, name, state in (line.split() for line in text.splitlines() if line.count(" ") == 2):
        found[kind][name] = state
    return Running(found["container"], found["unit"], found["cluster"].get("Pacemaker", ""), resources)


def parse_resources(xml: str) -> tuple[str, ...]:
    """Find the resources that run, in what `crm_mon --as-xml` prints (Pacemaker 1.1 to 3.0)."""
    root = ElementTree.fromstring(xml)  # noqa: S314 - Pacemaker's own, over pinned SSH
    return tuple(
        sorted(
            resource.get("id", "")
            for resource in root.iter("resource")
            if resource.get("role") in _STARTED and resource.get("failed") != "true"
        )
    )


def read_running(shell: Shell, within_s: float = 60) -> Running:
    """Ask a host what runs there.

    Args:
        shell: The host.
        within_s: Seconds for podman to answer: it waits for whatever holds one of its containers, such as a `podman stop`.

    Raises:
        CommandTimedOut: podman did not answer.
    """
    says = "read what podman and systemd run"
    try:
        said = shell.run(script(_READ, quiet=True, changes=False, timeout_s=within_s, says=says)).stdout
    except CommandTimedOut as error:
        raise CommandTimedOut(
            shell.name,
            f"podman did not answer within {within_s:g} s: something holds one of its containers",
            "see `ps -ef | grep podman` there: a `podman stop` that hangs is ended with `podman kill NAME`",
        ) from error
    seen = parse_running(said)
    if not seen.clustered:
        return seen
    # While Pacemaker starts it has no answer, and so nothing runs.
    status = shell.run(question("crm_mon", "--as-xml", ok=tuple(range(256))))
    resources = parse_resources(status.stdout) if status.exit_code == 0 else ()
    return Running(seen.containers, seen.units, seen.pacemaker, resources)


def differences(before: Running, now: Running) -> list[str]:
    """Tell what ran before and does not now, by name.

    Pacemaker may run a bundle's containers on another node or under another number than before: of these its resources count, in
    the whole cluster.

    Args:
        before: What was recorded.
        now: What is seen.
    """
    missing = [
        f"container {name} is {now.containers.get(name, 'gone')}"
        for name in before.in_state(RUNNING)
        if now.containers.get(name) != RUNNING and not name.startswith(OWN_PREFIX) and not _OF_BUNDLE.search(name)
    ]
    # What a timer starts comes and goes: its timer is what must be there.
    by_timer = {unit.replace(".timer", ".service") for unit in before.units if unit.endswith(".timer")}
    missing += [
        f"{unit} is {now.units.get(unit, 'gone')}"
        for unit, state in sorted(before.units.items())
        if state == ACTIVE and unit not in by_timer and now.units.get(unit) != ACTIVE
    ]
    if before.clustered and not now.clustered:
        missing.append(f"Pacemaker is {now.pacemaker or 'gone'}")
    fewer = Counter(before.resources) - Counter(now.resources)
    return missing + [f"resource {name} does not run" for name in sorted(fewer)]
