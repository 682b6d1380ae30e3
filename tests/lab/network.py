"""The lab's network on this machine: a bridge, and for each host a namespace with a cable to it."""

import json
from pathlib import Path

from tests.lab.settings import BRIDGE, GATEWAY, HOSTS, PREFIX, SUBNET, Host
from tests.lab.shell import run

# Below every other route: it matches only while the bridge is not there, and then keeps packets for the lab's
# addresses from leaving the machine through the default route.
_LAST = ("metric", "4294967295")


def fence(subnet: str = SUBNET) -> None:
    """Makes sure that nothing for the lab's addresses can leave this machine."""
    run(["ip", "route", "replace", "unreachable", subnet, *_LAST])


def unfence(subnet: str = SUBNET) -> None:
    """Removes the route that `fence` made."""
    if fences(subnet):
        run(["ip", "route", "delete", "unreachable", subnet, *_LAST])


def add_bridge() -> None:
    """Makes the bridge, unless it is there."""
    fence()
    if BRIDGE not in links():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    run(["ip", "address", "replace", f"{GATEWAY}/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def remove_bridge() -> None:
    """Removes the bridge, if it is there."""
    if BRIDGE in links():
        run(["ip", "link", "delete", BRIDGE])


def connect(host: Host) -> None:
    """Makes a host's namespace and its cable.

    There is no default route in it: a host of the lab can reach the other hosts and this machine, nothing else.
    """
    run(["ip", "netns", "add", host.netns])
    run(["ip", "link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.netns])
    run(["ip", "link", "set", host.link, "master", BRIDGE, "up"])
    inside = ["ip", "-n", host.netns]
    run([*inside, "link", "set", "lo", "up"])
    run([*inside, "address", "add", f"{host.address}/24", "dev", "eth0"])
    run([*inside, "link", "set", "eth0", "up"])


def disconnect(host: Host) -> None:
    """Removes a host's cable and namespace; firewall rules and added addresses go with it, as in a power cut."""
    if host.link in links():
        run(["ip", "link", "delete", host.link])
    if Path("/run/netns", host.netns).exists():
        run(["ip", "netns", "delete", host.netns])


def leftovers() -> list[str]:
    """Returns what is there of the lab's network, one sentence each."""
    found = [f"network namespace {host.netns}" for host in HOSTS.values() if Path("/run/netns", host.netns).exists()]
    found += [f"link {name}" for name in sorted(links()) if name.startswith(PREFIX)]
    return found + [f"route: {route}" for route in fences()]


def links() -> set[str]:
    """Returns the names of this machine's links."""
    found = json.loads(run(["ip", "-json", "link", "show"]).stdout)
    return {link["ifname"] for link in found}


def fences(subnet: str = SUBNET) -> list[str]:
    """Returns the routes that `fence` made."""
    routes = run(["ip", "route", "show", "type", "unreachable", "exact", subnet]).stdout
    return [line.strip() for line in routes.splitlines() if line.strip()]
