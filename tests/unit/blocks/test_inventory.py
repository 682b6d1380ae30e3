"""Hosts and roles from an Ansible inventory."""

import pytest

from blocks.inventory import InventoryError, UndercloudAddressMissing, read_inventory
from tests.site_files import EXAMPLE_INVENTORY

ONE_CONTROLLER = """\
Undercloud:
  hosts:
    undercloud: {}
  vars:
    ansible_connection: local
    ansible_host: localhost
    auth_url: https://192.168.24.2:13000
    os_auth_token: the-token
    overcloud_admin_password: the-password
Controller:
  hosts:
    overcloud-controller-0: {ansible_host: 192.168.24.12, ctlplane_ip: 192.168.24.99, external_ip: 10.0.0.10}
  vars: {ansible_ssh_user: heat-admin, tripleo_role_networks: [ctlplane, external]}
overcloud:
  children:
    Controller: {}
  vars: {ctlplane_vip: 192.168.24.7}
allovercloud:
  children:
    overcloud: {}
mysql:
  children:
    Controller: {}
  vars: {ansible_ssh_user: heat-admin}
"""


def test_finds_the_hosts_of_a_service_through_groups_of_groups() -> None:
    inventory = read_inventory(ONE_CONTROLLER, "192.168.24.1")
    assert inventory.roles["mysql"] == ["overcloud-controller-0"]
    assert inventory.roles["allovercloud"] == ["overcloud-controller-0"]
    assert inventory.hosts["overcloud-controller-0"] == "192.168.24.12"


def test_the_undercloud_gets_the_address_that_the_site_gives_it() -> None:
    assert read_inventory(ONE_CONTROLLER, "192.168.24.1").hosts["undercloud"] == "192.168.24.1"


def test_refuses_localhost_without_an_address_of_the_undercloud() -> None:
    with pytest.raises(UndercloudAddressMissing, match="'localhost' for host undercloud"):
        read_inventory(ONE_CONTROLLER)


def test_takes_no_token_and_no_password() -> None:
    taken = repr(read_inventory(ONE_CONTROLLER, "192.168.24.1"))
    assert "the-token" not in taken
    assert "the-password" not in taken


@pytest.mark.parametrize("spoilt", ["  - [", "\n  x: *the-password", "  : the-password: [", "  \t- the-password"])
def test_an_error_does_not_quote_the_file(spoilt: str) -> None:
    with pytest.raises(InventoryError) as refusal:
        read_inventory("Undercloud:\n  vars: {overcloud_admin_password: the-password}" + spoilt)
    assert "the-password" not in str(refusal.value)
    assert "line" in str(refusal.value)


def test_composable_roles() -> None:
    roles = read_inventory(EXAMPLE_INVENTORY.read_text(), "192.168.24.1").roles
    assert roles["mysql"] == ["overcloud-database-0", "overcloud-database-1", "overcloud-database-2"]
    assert roles["pacemaker"] == [
        *roles["ControllerOpenstack"],
        *roles["Database"],
        *roles["Messaging"],
    ]


def test_a_host_of_several_groups_is_one_host() -> None:
    inventory = read_inventory("""
        a: {hosts: {two: {}, one: {ansible_host: 10.0.0.1}}}
        b: {hosts: {one: {}, two: {ansible_host: 10.0.0.2}}}
        both: {children: {b: {}, a: {}}}
    """)
    assert inventory.hosts == {"two": "10.0.0.2", "one": "10.0.0.1"}
    assert inventory.roles["both"] == ["one", "two"]


def test_a_host_without_an_address_is_reached_by_its_name() -> None:
    assert read_inventory("a: {hosts: {one.example.com: }}").hosts == {"one.example.com": "one.example.com"}


def test_a_group_may_be_written_where_it_is_listed() -> None:
    inventory = read_inventory("all: {children: {Controller: {hosts: {one: {ansible_host: 10.0.0.1}}}}}")
    assert inventory.roles == {"all": ["one"], "Controller": ["one"]}


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("Undercloud: {hosts: {undercloud: {}}, vars: {ansible_host: localhost}}", "undercloud", "192.168.24.1"),
        ("a: {hosts: {director: {ansible_host: 127.0.0.1}}}", "director", "192.168.24.1"),
        ("Undercloud: {hosts: {director: {ansible_host: 10.0.0.1}}}", "director", "10.0.0.1"),
        ("a: {hosts: {one: {ansible_host: 10.0.0.2}, two: {ansible_host: 192.168.24.1}}}", "two", "192.168.24.1"),
        ("a: {hosts: {one: {ansible_host: 10.0.0.2}}}", "undercloud", "192.168.24.1"),
    ],
)
def test_the_undercloud_is_found(text: str, name: str, address: str) -> None:
    inventory = read_inventory(text, "192.168.24.1")
    assert (inventory.undercloud, inventory.hosts[name]) == (name, address)


def test_an_inventory_may_be_without_an_undercloud() -> None:
    inventory = read_inventory("a: {hosts: {one: {ansible_host: 10.0.0.2}}}")
    assert (inventory.undercloud, list(inventory.hosts)) == (None, ["one"])


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("mysql: {children: {Controler: {}}}", "group mysql has the child 'Controler', which is no group"),
        ("a: {children: {b: {}}}\nb: {children: {a: {}}}", "group a contains itself: a > b > a"),
        ("a: {children: {a: {}}}", "group a contains itself: a > a"),
        ("a: &a {children: {b: *a}}", "a YAML alias contains itself"),
        ("a: 3", "group a is not a mapping"),
        ("- a", "the inventory is not a mapping"),
        ("a: {hosts: [one]}", "group a: hosts is not a mapping"),
        ("a: {hosts: {one: {ansible_host: [10.0.0.1]}}}", "host one: ansible_host is not an address"),
        ("a: {hosts: {one: {ansible_host: 127.0.0.1}, two: {ansible_host: localhost}}}", "more than one host"),
        ("[a, b]: {}", "key that is not a word"),
    ],
)
def test_refuses(text: str, refusal: str) -> None:
    with pytest.raises(InventoryError, match=refusal):
        read_inventory(text, "192.168.24.1")
