"""Octavia's agent for the provider: makes of what the database says an haproxy, and of what haproxy says a status."""

import shutil
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from octavia.common import utils  # type: ignore[import-not-found]
from octavia.db import api, repositories  # type: ignore[import-not-found]
from octavia_lib.api.drivers import driver_lib  # type: ignore[import-not-found]
from oslo_config import cfg  # type: ignore[import-not-found]

from . import haproxy
from .members import run as command

_SECONDS = 1.0
_KINDS: dict[str, Callable[[Any], list[Any]]] = {
    "loadbalancers": lambda balancer: [balancer],
    "listeners": lambda balancer: balancer.listeners,
    "pools": lambda balancer: balancer.pools,
    "members": lambda balancer: [member for pool in balancer.pools for member in pool.members],
    "healthmonitors": lambda balancer: [pool.health_monitor for pool in balancer.pools if pool.health_monitor],
}


def run(exit_event: Event) -> None:
    """Works until Octavia's driver agent ends. An error ends one round only: the driver agent starts this anew."""
    library = driver_lib.DriverLibrary()
    while not exit_event.wait(_SECONDS):
        found, _ = repositories.LoadBalancerRepository().get_all(
            api.get_session(), provider="haproxy", show_deleted=False
        )
        for balancer in found:
            changes = _removed(balancer) if balancer.provisioning_status == "PENDING_DELETE" else _served(balancer)
            if changes:
                library.update_loadbalancer_status(changes)


def _removed(balancer: Any) -> dict[str, list[dict[str, str]]]:
    haproxy.apply(balancer.id, "", "")
    _unplug(balancer)
    folder = haproxy.RUN / balancer.id
    if folder.exists():
        shutil.rmtree(folder)
    return {
        kind: [{"id": thing.id, "provisioning_status": "DELETED"} for thing in things(balancer)]
        for kind, things in _KINDS.items()
    }


def _served(balancer: Any) -> dict[str, list[dict[str, str]]]:
    if not Path("/run/netns", f"lb-{balancer.id}").exists():
        _plug(balancer)
    wanted = haproxy.configuration(balancer)
    if wanted != haproxy.applied(balancer.id):
        haproxy.apply(balancer.id, wanted, haproxy.states(balancer))
    operating = _operating(balancer)
    return {
        kind: changes
        for kind, things in _KINDS.items()
        if (changes := [change for thing in things(balancer) if (change := _change(thing, operating.get(thing.id)))])
    }


def _change(thing: Any, operating: str | None) -> dict[str, str]:
    """Returns what has to be told of a thing; nothing if Octavia knows it all."""
    if thing.provisioning_status == "PENDING_DELETE":
        return {"id": thing.id, "provisioning_status": "DELETED"}
    change = {}
    if thing.provisioning_status.startswith("PENDING"):
        change["provisioning_status"] = "ACTIVE"
    if operating and operating != thing.operating_status:
        change["operating_status"] = operating
    return {"id": thing.id, **change} if change else {}


def _operating(balancer: Any) -> dict[str, str]:
    """Returns the operating status of everything that has one, by id, as Octavia's own amphorae would tell it."""
    members = haproxy.operating(balancer.id)
    status = dict(members)
    pools = []
    for pool in haproxy.live(balancer.pools):
        own = [members.get(member.id, "OFFLINE") for member in haproxy.live(pool.members)]
        down = own.count("ERROR")
        status[pool.id] = "ONLINE" if not down else "ERROR" if down == len(own) else "DEGRADED"
        pools.append(status[pool.id])
        if found := haproxy.monitor(pool):
            status[found.id] = "ONLINE"
    for listener in haproxy.live(balancer.listeners):
        status[listener.id] = "ONLINE"
    status[balancer.id] = next((word for word in ("ERROR", "DEGRADED") if word in pools), "ONLINE")
    return status


def _tap(balancer: Any) -> str:
    """Returns the name by which Neutron's agent knows a port's cable."""
    return f"tap{balancer.vip.port_id[:11]}"


def _plug(balancer: Any) -> None:
    """Gives a load balancer its namespace and the port of its virtual address."""
    _unplug(balancer)
    (haproxy.RUN / balancer.id).mkdir(parents=True, exist_ok=True)
    network = utils.get_network_driver()
    port = network.get_port(balancer.vip.port_id)
    subnet = network.get_subnet(balancer.vip.subnet_id)
    bound = {"admin_state_up": True, "binding:host_id": cfg.CONF.host}
    network.neutron_client.update_port(port.id, {"port": bound})
    name = f"lb-{balancer.id}"
    tap = _tap(balancer)
    inside = ("ip", "-n", name)
    command("ip", "netns", "add", name)
    command("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", name,
            "address", port.mac_address)  # fmt: skip
    command("ip", "link", "set", tap, "up")
    length = subnet.cidr.rsplit("/", 1)[1]
    command(*inside, "address", "add", f"{balancer.vip.ip_address}/{length}", "dev", "eth0")
    command(*inside, "link", "set", "lo", "up")
    command(*inside, "link", "set", "eth0", "up")
    if subnet.gateway_ip:
        command(*inside, "route", "add", "default", "via", subnet.gateway_ip)


def _unplug(balancer: Any) -> None:
    if Path("/sys/class/net", _tap(balancer)).exists():
        command("ip", "link", "delete", _tap(balancer))
    if Path("/run/netns", f"lb-{balancer.id}").exists():
        command("ip", "netns", "delete", f"lb-{balancer.id}")
