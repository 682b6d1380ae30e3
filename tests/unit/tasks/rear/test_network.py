"""The rescue system's network, made of a node's Open vSwitch bridges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blocks.remote.errors import HostError
from tasks.rear.network import Interface, NetworkSetUp, Port, parse_bridges, parse_interfaces, read_network, set_up
from tests.unit.fakes import FakeShell
from tests.unit.tasks.rear.samples import ADDRESSES, BRIDGES, INTERFACES, PORTS


def commands(*more: dict[str, Any]) -> NetworkSetUp:
    return set_up(parse_bridges(BRIDGES, PORTS, INTERFACES), parse_interfaces([*ADDRESSES, *more]))


def test_the_kernel_s_bridges_and_vlans_stand_in_for_open_vswitch() -> None:
    assert commands().commands == (
        "ip link add br-ctlplane type bridge",
        "ip link set nic1 up",
        "ip link set nic1 master br-ctlplane",
        "ip link set br-ctlplane up",
        "ip address add 192.168.24.12/24 dev br-ctlplane",
        "ip link add br-ex type bridge",
        "ip link set nic2 mtu 9000",
        "ip link set nic2 up",
        "ip link set nic2 master br-ex",
        "ip link set br-ex up",
        "ip address add 10.0.0.10/24 dev br-ex",
        "ip link add link br-ex name vlan20 type vlan id 20",
        "ip link set vlan20 up",
        "ip address add 172.16.2.199/24 dev vlan20",
        "ip address add fd00:fd00:fd00:2000::10/64 dev vlan20",
    )


def test_virtual_ip_addresses_are_not_set_up_since_another_node_has_them_by_then() -> None:
    assert not any("10.0.0.5" in line or "2000::5" in line for line in commands().commands)


def test_of_a_bond_the_interface_with_a_carrier_is_used_alone_and_that_is_told() -> None:
    assert commands().findings == ("in the rescue system br-ex uses nic2 alone, of bond bond1",)
    assert not any("nic3" in line for line in commands().commands)


def test_a_bond_of_the_kernel_s_is_set_up_by_one_of_its_interfaces() -> None:
    bridges = {"br-ex": [Port("bond0", None, {"bond0": ""}), Port("br-ex", None, {"br-ex": "internal"})]}
    interfaces = [
        Interface("bond0", "bond"),
        Interface("eth0", up=False, master="bond0"),
        Interface("eth1", master="bond0"),
        Interface("br-ex", "openvswitch", addresses=("10.0.0.10/24",)),
    ]
    made = set_up(bridges, {each.name: each for each in interfaces})
    assert "ip link set eth1 master br-ex" in made.commands
    assert not any("bond0" in line or "eth0" in line for line in made.commands)
    assert made.findings == ("in the rescue system br-ex uses eth1 alone, of bond bond0",)


def test_an_address_of_a_port_without_vlan_is_the_bridge_s() -> None:
    bridges = {"br-ex": [Port("mgmt", None, {"mgmt": "internal"})]}
    made = set_up(bridges, {"mgmt": Interface("mgmt", "openvswitch", addresses=("10.1.0.1/16",))})
    assert made.commands[-1] == "ip address add 10.1.0.1/16 dev br-ex"


def test_a_bridge_without_addresses_is_left_alone() -> None:
    without = [each | {"addr_info": []} for each in ADDRESSES if each]
    assert set_up(parse_bridges(BRIDGES, PORTS, INTERFACES), parse_interfaces(without)) == NetworkSetUp()


def test_a_node_without_open_vswitch_needs_nothing() -> None:
    assert read_network(FakeShell(otherwise="")) == NetworkSetUp()


def test_what_can_not_be_read_is_an_error_of_the_host() -> None:
    with pytest.raises(HostError, match="controller-0: its Open vSwitch can't be read"):
        read_network(FakeShell(otherwise="ovs-vsctl: unix:/run/openvswitch/db.sock: database connection failed\n"))
    text = "".join(f"{json.dumps(each)}\n" for each in (BRIDGES, PORTS, INTERFACES, ADDRESSES))
    assert read_network(FakeShell(otherwise=text)) == commands()
