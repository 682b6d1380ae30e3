"""Open vSwitch and addresses of a controller as TripleO configures it: a bond with VLANs, and the control plane's bridge.

The tables are as `ovs-vsctl --format=json` prints them, the addresses as `ip -j -d address` does, shortened.
"""

from __future__ import annotations

from typing import Any


def _id(number: int) -> list[str]:
    return ["uuid", f"{number:08d}-0000-4000-8000-000000000000"]


BRIDGES: dict[str, Any] = {
    "data": [
        ["br-int", ["set", [_id(14), _id(15)]]],
        ["br-ex", ["set", [_id(10), _id(11), _id(12), _id(13)]]],
        ["br-ctlplane", ["set", [_id(16), _id(17)]]],
    ],
    "headings": ["name", "ports"],
}
PORTS: dict[str, Any] = {
    "data": [
        [_id(10), "br-ex", ["set", []], _id(20)],
        [_id(11), "bond1", ["set", []], ["set", [_id(21), _id(22)]]],
        [_id(12), "vlan20", 20, _id(23)],
        [_id(13), "phy-br-ex", ["set", []], _id(24)],
        [_id(14), "br-int", ["set", []], _id(25)],
        [_id(15), "tap1234-56", 3, _id(26)],
        [_id(16), "br-ctlplane", ["set", []], _id(27)],
        [_id(17), "nic1", ["set", []], _id(28)],
    ],
    "headings": ["_uuid", "name", "tag", "interfaces"],
}
INTERFACES: dict[str, Any] = {
    "data": [
        [_id(20), "br-ex", "internal"],
        [_id(21), "nic2", ""],
        [_id(22), "nic3", ""],
        [_id(23), "vlan20", "internal"],
        [_id(24), "phy-br-ex", "patch"],
        [_id(25), "br-int", "internal"],
        [_id(26), "tap1234-56", "internal"],
        [_id(27), "br-ctlplane", "internal"],
        [_id(28), "nic1", "system"],
    ],
    "headings": ["_uuid", "name", "type"],
}


def _link(name: str, kind: str = "", *addresses: tuple[str, int], **more: object) -> dict[str, Any]:
    told: dict[str, Any] = {"ifname": name, "operstate": "UP", "mtu": 1500, "link_type": "ether"}
    if kind:
        told["linkinfo"] = {"info_kind": kind}
    told["addr_info"] = [
        {"family": "inet6" if ":" in local else "inet", "local": local, "prefixlen": prefix, "scope": "global"}
        for local, prefix in addresses
    ] + [{"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"}]
    return told | more


ADDRESSES: list[dict[str, Any]] = [
    {},
    _link("lo", "", ("127.0.0.1", 8)) | {"addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
    _link("nic1"),
    _link("nic2", mtu=9000),
    _link("nic3", mtu=9000, operstate="DOWN"),
    _link("ovs-system", "openvswitch", operstate="DOWN"),
    _link("br-int", "openvswitch", operstate="DOWN"),
    _link("br-ex", "openvswitch", ("10.0.0.10", 24), ("10.0.0.5", 32)),
    _link(
        "vlan20", "openvswitch", ("172.16.2.199", 24), ("fd00:fd00:fd00:2000::10", 64), ("fd00:fd00:fd00:2000::5", 128)
    ),
    _link("tap1234-56", "openvswitch"),
    _link("br-ctlplane", "openvswitch", ("192.168.24.12", 24)),
]
