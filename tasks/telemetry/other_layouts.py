"""Where Ceilometer's agents run in a way that `agents` does not know: said by its name, with what to do there instead."""

from __future__ import annotations

import re

from blocks.remote.command import question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.telemetry import kolla

# OSP 18: the data plane's services keep their files by their own names.
FIND_EDPM = question("bash", "-c", 'for f in /var/lib/openstack/*/polling.yaml; do [ ! -e "$f" ] || echo "$f"; done')

_TRIPLEO = re.compile(r"^(ceilometer_agent_(?:compute|central|ipmi)) ", re.MULTILINE)
# Whatever else has Ceilometer in its name: snaps, Kubernetes' containers, units of somebody's own.
_ANY = re.compile(r"^[●*\s]*(\S*ceilometer\S*)", re.MULTILINE)
_DEVSTACK = re.compile(r"(devstack@ceilometer[\w-]*\.service)")
_KNOWN = "known are TripleO's containers in podman, kolla-ansible's in docker and podman, and units of RHEL's and Debian's packages"


def raise_if_edpm(shell: Shell) -> None:
    """Raise where the containers are those of OSP 18, which are called as TripleO's and have their file elsewhere.

    Raises:
        HostError: They are.
    """
    if found := shell.run(FIND_EDPM).stdout.split():
        hint = "change the telemetry service of the data plane (its ConfigMap), and deploy the node set again"
        said = f"Ceilometer runs as a service of OSP 18's data plane (EDPM), and polls by {', '.join(found)}, which it writes"
        raise HostError(shell.name, said, hint)


def describe_other_layout(units: str, podman: str, docker: str) -> tuple[str, str]:
    """Say how Ceilometer's agents run here, where none of the known ones polls.

    Args:
        units: What `agents.LIST_UNITS` prints.
        podman: What `agents.LIST_CONTAINERS` prints.
        docker: What `agents.LIST_DOCKER` prints.

    Returns:
        The reason, and what to do.
    """
    if of_kolla := kolla.parse_containers(podman) or kolla.parse_containers(docker):
        hint = "name the role of the hosts that have it: kolla-ansible's group compute"
        said = (
            f"of kolla-ansible's containers {', '.join(of_kolla)} is here, and CPU is polled by {kolla.COMPUTE} alone"
        )
        return said, hint
    if agents := _TRIPLEO.findall(docker):
        hint = "change polling.yaml in the configuration that they are made from, and restart them with docker"
        return f"Ceilometer's agents are containers in docker ({', '.join(agents)}); {_KNOWN}", hint
    if devstack := _DEVSTACK.findall(units):
        hint = "change /etc/ceilometer/polling.yaml, and restart them with systemctl"
        return f"Ceilometer's agents are devstack's units ({', '.join(devstack)}); {_KNOWN}", hint
    others = ", ".join(_ANY.findall("\n".join((units, podman, docker))))
    return (
        f"none of Ceilometer's agents that poll is there ({_KNOWN}{f'; seen are {others}' if others else ''})",
        "name the role of the hosts that poll instances",
    )
