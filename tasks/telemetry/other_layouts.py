"""Where Ceilometer's agents run in a way that `agents` does not know: said by its name, with what to do there instead."""

from __future__ import annotations

import re

from blocks.remote.command import question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell

LIST_DOCKER = question(
    *("bash", "-c", 'command -v docker >/dev/null || exit 0; exec docker ps --all --format "{{.Names}} {{.Status}}"'),
)
# OSP 18: the data plane's services keep their files by their own names.
FIND_EDPM = question("bash", "-c", 'for f in /var/lib/openstack/*/polling.yaml; do [ ! -e "$f" ] || echo "$f"; done')

_KOLLA = re.compile(r"^(ceilometer_(?:compute|central|ipmi|notification)) ", re.MULTILINE)
_TRIPLEO = re.compile(r"^(ceilometer_agent_(?:compute|central|ipmi)) ", re.MULTILINE)
_DEVSTACK = re.compile(r"(devstack@ceilometer[\w-]*\.service)")
_KNOWN = "known are TripleO's containers in podman, and units of RHEL's and Debian's packages"


def raise_if_edpm(shell: Shell) -> None:
    """Raise where the containers are those of OSP 18, which are called as TripleO's and have their file elsewhere.

    Raises:
        HostError: They are.
    """
    if found := shell.run(FIND_EDPM).stdout.split():
        hint = "change the telemetry service of the data plane (its ConfigMap), and deploy the node set again"
        said = f"Ceilometer runs as a service of OSP 18's data plane (EDPM), and polls by {', '.join(found)}, which it writes"
        raise HostError(shell.name, said, hint)


def describe_other_layout(shell: Shell, units: str, containers: str) -> tuple[str, str]:
    """Say how Ceilometer's agents run here, where none of the known ones polls.

    Args:
        shell: The host's; asked for Docker's containers.
        units: What `agents.LIST_UNITS` prints.
        containers: What `agents.LIST_CONTAINERS` prints.

    Returns:
        The reason, and what to do.
    """
    docker = shell.run(LIST_DOCKER).stdout
    for engine, listed in (("podman", containers), ("docker", docker)):
        if kolla := _KOLLA.findall(listed):
            hint = (
                "set the interval in ceilometer/polling.yaml of kolla-ansible's node_custom_config, then `kolla-ansible "
                "reconfigure --tags ceilometer`"
            )
            said = f"Ceilometer's agents are kolla-ansible's containers in {engine} ({', '.join(kolla)})"
            return f"{said}, which this runbook does not change", hint
    if agents := _TRIPLEO.findall(docker):
        hint = "change polling.yaml in the configuration that they are made from, and restart them with docker"
        return f"Ceilometer's agents are containers in docker ({', '.join(agents)}); {_KNOWN}", hint
    if devstack := _DEVSTACK.findall(units):
        hint = "change /etc/ceilometer/polling.yaml, and restart them with systemctl"
        return f"Ceilometer's agents are devstack's units ({', '.join(devstack)}); {_KNOWN}", hint
    return (
        f"none of Ceilometer's agents that poll is there ({_KNOWN})",
        "name the role of the hosts that poll instances",
    )
