"""Whether every service of the cloud works."""

import http.client
from collections.abc import Callable
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

from tests.openstack.machine import Machine
from tests.openstack.services import UNITS, ports
from tests.openstack.settings import ADDRESS

_AGENTS = {"Linux bridge agent", "L3 agent"}


def missing(machine: Machine, connect: Callable[[], Any]) -> str:
    """Returns the first thing that keeps the cloud from being whole, or an empty string.

    Args:
        machine: The controller.
        connect: Makes a connection as administrator.
    """
    if not machine.on:
        return "the controller is off"
    if problem := inactive_units(machine) or closed_ports():
        return problem
    try:
        with connect() as admin:
            return compute(admin) or _network(admin) or _orchestration(admin) or _metrics(admin)
    except (SDKException, ClientException) as error:
        return f"{type(error).__name__}: {error}"


def inactive_units(machine: Machine) -> str:
    """Returns which units are not active."""
    words = ["systemctl", "show", "--property", "Id,ActiveState,SubState", *(f"{unit}.service" for unit in UNITS)]
    blocks = machine.exec(words).stdout.strip().split("\n\n")
    states = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return ", ".join(f"{state['Id']} {state['SubState']}" for state in states if state["ActiveState"] != "active")


def closed_ports() -> str:
    """Returns which APIs do not answer."""
    return ", ".join(problem for unit in ports() if (problem := closed_ports_of(unit)()))


def closed_ports_of(unit: str) -> Callable[[], str]:
    """Returns a look at one API."""

    def look() -> str:
        connection = http.client.HTTPConnection(ADDRESS, ports()[unit], timeout=10)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"{unit} does not answer: {error}"
        finally:
            connection.close()
        return f"{unit} answers with {status}" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else ""

    return look


def compute(admin: Any) -> str:
    """Returns which of Nova's services are not up."""
    found = {service.binary: service.state for service in admin.compute.services()}
    wanted = ("nova-conductor", "nova-scheduler", "nova-compute")
    return ", ".join(f"{name} is {found.get(name, 'absent')}" for name in wanted if found.get(name) != "up")


def _network(admin: Any) -> str:
    alive = {agent.agent_type for agent in admin.network.agents() if agent.is_alive}
    dead = _AGENTS - alive
    return f"not alive: {', '.join(sorted(dead))}" if dead else ""


def _orchestration(admin: Any) -> str:
    heat = admin.session.get_endpoint(service_type="orchestration")
    engines = admin.session.get(f"{heat}/services").json()["services"]
    return "" if any(engine["status"] == "up" for engine in engines) else "no heat-engine is up"


def _metrics(admin: Any) -> str:
    gnocchi = admin.session.get_endpoint(service_type="metric")
    processors = admin.session.get(f"{gnocchi}/v1/status").json()["metricd"]["processors"]
    return "" if processors else "no gnocchi-metricd"
