"""The network of ReaR's rescue system on a node with Open vSwitch (BR 1.4, 2.4), made of the bridges that the node really has.

The rescue system has no Open vSwitch, and ReaR sets up no interface of it. So the kernel's own bridge stands in for each Open
vSwitch bridge that carries an address, and the kernel's own VLANs for its internal ports. Routes are ReaR's own affair.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell

_USUAL_MTU = 1500
# TripleO's virtual IP addresses: Pacemaker has given them to another node by the time this one is in its rescue system.
_HOST_PREFIXES = {4: 32, 6: 128}


@dataclass(frozen=True)
class Interface:
    """A network interface as the kernel has it.

    Attributes:
        name: Its name.
        kind: The kernel's word for a virtual one (`openvswitch`, `bond`, `vlan`, `tun`); empty for a physical one.
        up: Whether it has a carrier.
        master: The bond or bridge that it belongs to.
        mtu: In bytes.
        addresses: As address/prefix; those alone that are the node's own.
    """

    name: str
    kind: str = ""
    up: bool = True
    master: str = ""
    mtu: int = _USUAL_MTU
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """A port of an Open vSwitch bridge.

    Attributes:
        name: Its name.
        tag: Its VLAN; None where it has none.
        interfaces: Name → type (`internal`, `patch`, `vxlan`; empty for an interface of the kernel).
    """

    name: str
    tag: int | None
    interfaces: Mapping[str, str]


@dataclass(frozen=True)
class NetworkSetUp:
    """How the rescue system's network is set up.

    Attributes:
        commands: One after the other; none where ReaR's own do.
        findings: What the operator should know of it.
    """

    commands: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


# Four documents, one a line; nothing where Open vSwitch is not there, or does not run.
_ASK = """
type -P ovs-vsctl >/dev/null || exit 0
systemctl is-active --quiet openvswitch.service openvswitch-switch.service || exit 0
list() { ovs-vsctl --timeout=20 --format=json --columns="$2" list "$1" | tr -d '\\n'; echo; }
list Bridge name,ports
list Port _uuid,name,tag,interfaces
list Interface _uuid,name,type
ip -j -d address | tr -d '\\n'
echo
"""


def read_network(shell: Shell) -> NetworkSetUp:
    """Ask a node for its Open vSwitch bridges and addresses, and make the commands that set up the rescue system's network.

    Raises:
        HostError: What it says can't be read.
    """
    says = "read the Open vSwitch bridges and the addresses"
    text = shell.run(script(_ASK, quiet=True, changes=False, says=says)).stdout
    if not text.strip():
        return NetworkSetUp()
    try:
        bridges, ports, interfaces, addresses = (json.loads(line) for line in text.splitlines() if line.strip())
        return set_up(parse_bridges(bridges, ports, interfaces), parse_interfaces(addresses))
    except (ValueError, KeyError, TypeError) as error:
        hint = "say in [rear.networking] of the site file how the rescue system's network is set up"
        raise HostError(shell.name, f"its Open vSwitch can't be read: {type(error).__name__}: {error}", hint) from error


def parse_interfaces(told: Sequence[Mapping[str, Any]]) -> dict[str, Interface]:
    """Read `ip -j -d address`."""
    found = {}
    for each in told:
        if "ifname" in each:  # iproute 5.3 leaves an empty object where it prints nothing
            name = str(each["ifname"])
            found[name] = Interface(
                name=name,
                kind=str(each.get("linkinfo", {}).get("info_kind", "")),
                up=each.get("operstate") != "DOWN",
                master=str(each.get("master", "")),
                mtu=int(each.get("mtu", _USUAL_MTU)),
                addresses=tuple(_addresses(each.get("addr_info", []))),
            )
    return found


def _addresses(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in told:
        version = 6 if each.get("family") == "inet6" else 4
        if each.get("scope") == "global" and each["prefixlen"] != _HOST_PREFIXES[version]:
            yield f"{each['local']}/{each['prefixlen']}"


def parse_bridges(bridges: Any, ports: Any, interfaces: Any) -> dict[str, list[Port]]:
    """Read three tables of ovs-vsctl in JSON: bridge → its ports, in the order of their names."""
    types = {_uuid(row["_uuid"]): (str(row["name"]), str(row["type"])) for row in _rows(interfaces)}
    by_id = {
        _uuid(row["_uuid"]): Port(
            name=str(row["name"]),
            tag=row["tag"] if isinstance(row["tag"], int) else None,
            interfaces=dict(sorted(types[each] for each in _set(row["interfaces"]))),
        )
        for row in _rows(ports)
    }
    return {
        str(row["name"]): sorted((by_id[each] for each in _set(row["ports"])), key=lambda port: port.name)
        for row in sorted(_rows(bridges), key=lambda row: str(row["name"]))
    }


def _rows(table: Any) -> list[dict[str, Any]]:
    return [dict(zip(table["headings"], row, strict=True)) for row in table["data"]]


def _uuid(value: Any) -> str:
    return str(value[1])


def _set(value: Any) -> list[str]:
    """The ids of a column: OVSDB writes a set of one as the one."""
    return [_uuid(each) for each in value[1]] if value[0] == "set" else [_uuid(value)]


def set_up(bridges: Mapping[str, Sequence[Port]], interfaces: Mapping[str, Interface]) -> NetworkSetUp:
    """Make the commands.

    Args:
        bridges: The Open vSwitch bridges with their ports.
        interfaces: The kernel's.
    """
    commands: list[str] = []
    findings: list[str] = []
    for bridge, ports in bridges.items():
        internal = [port for port in ports if port.name in interfaces and set(port.interfaces.values()) == {"internal"}]
        if any(interfaces[port.name].addresses for port in internal):
            commands += _bridge(bridge, ports, interfaces, findings)
            for port in internal:
                commands += _internal_port(bridge, port, interfaces[port.name])
    return NetworkSetUp(tuple(commands), tuple(findings))


def _bridge(
    bridge: str, ports: Sequence[Port], interfaces: Mapping[str, Interface], findings: list[str]
) -> Iterator[str]:
    yield f"ip link add {bridge} type bridge"
    for port in ports:
        uplinks = _uplinks(port, interfaces)
        if not uplinks:
            continue
        # Two interfaces of a bond in a plain bridge would be a loop.
        uplink = next((each for each in uplinks if each.up), uplinks[0])
        if len(uplinks) > 1 or uplink.name != port.name:
            findings.append(f"in the rescue system {bridge} uses {uplink.name} alone, of bond {port.name}")
        if uplink.mtu != _USUAL_MTU:
            yield f"ip link set {uplink.name} mtu {uplink.mtu}"
        yield f"ip link set {uplink.name} up"
        yield f"ip link set {uplink.name} master {bridge}"
    yield f"ip link set {bridge} up"


def _uplinks(port: Port, interfaces: Mapping[str, Interface]) -> list[Interface]:
    """The physical interfaces behind a port: its own, or those of the kernel's bond that it is."""
    own = [interfaces[name] for name, kind in port.interfaces.items() if kind in {"", "system"} and name in interfaces]
    found = []
    for each in own:
        if each.kind == "bond":
            found += [slave for slave in interfaces.values() if slave.master == each.name]
        elif not each.kind:
            found.append(each)
    return found


def _internal_port(bridge: str, port: Port, interface: Interface) -> Iterator[str]:
    if not interface.addresses:
        return
    device = bridge
    if port.tag is not None:
        device = port.name
        yield f"ip link add link {bridge} name {device} type vlan id {port.tag}"
        yield f"ip link set {device} up"
    for address in interface.addresses:
        yield f"ip address add {address} dev {device}"
