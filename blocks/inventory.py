"""Hosts and roles from the file that `tripleo-ansible-inventory --static-yaml-inventory` writes.

That file also holds a Keystone token and the overcloud's admin password. So it is walked as a tree of YAML nodes in
which only groups, children, hosts and `ansible_host` are looked at; nothing else becomes a Python value, and no error
quotes the text of the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

_LOOPBACK = ("localhost", "ip6-localhost", "::1")


class InventoryError(ValueError):
    """An inventory that can't be used; the message says which group or host, and why."""


class UndercloudAddressMissing(InventoryError):
    """The undercloud is `localhost` in the inventory, and nothing says where it really is."""


@dataclass(frozen=True)
class Inventory:
    """What a site takes from an inventory.

    Attributes:
        hosts: Address of every host, by name, in the inventory's order.
        roles: Names of the hosts of every group, groups of groups resolved, each host once.
        undercloud: Which host is the undercloud: that of TripleO's group `Undercloud`, or the one that the file calls
            `localhost`; None if there is neither.
    """

    hosts: dict[str, str]
    roles: dict[str, list[str]]
    undercloud: str | None = None


@dataclass
class _Group:
    """One group as written: `address` is the group's own `ansible_host`, which holds for its hosts."""

    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    address: str | None = None


def read_inventory(text: str, undercloud_address: str | None = None) -> Inventory:
    """Read a static YAML inventory.

    Args:
        text: The file's contents.
        undercloud_address: Stands in for the address of the undercloud, which the file calls `localhost` because it
            was written there. A machine that isn't the undercloud would connect to itself. An inventory without the
            undercloud gets it as the host `undercloud`.

    Raises:
        InventoryError: for YAML that can't be read, a child that is no group, or groups that contain each other.
        UndercloudAddressMissing: for a `localhost` entry without an `undercloud_address`.
    """
    groups: dict[str, _Group] = {}
    addresses: dict[str, str] = {}
    try:
        for name, node in _items(_root(text), "the inventory"):
            _read_group(name, node, groups, addresses)
    except RecursionError:
        raise InventoryError("a YAML alias contains itself") from None
    roles = {name: _resolve(name, groups, ()) for name in groups}
    hosts = {host: addresses.get(host) or _group_address(host, groups) or host for host in _in_order(groups)}
    undercloud = _undercloud(hosts, roles, undercloud_address)
    hosts = _without_loopback(hosts, undercloud_address)
    if undercloud is None and undercloud_address is not None:
        undercloud = "undercloud"
        hosts.setdefault(undercloud, undercloud_address)
    return Inventory(hosts=hosts, roles=roles, undercloud=undercloud)


def _root(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        # Without the error's own words: they quote the line, which may hold the token or the password.
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "an unknown line"
        raise InventoryError(f"not valid YAML at {where}") from None
    except yaml.YAMLError:
        raise InventoryError("not valid YAML") from None


def _items(node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the pairs of a mapping; an absent or null node counts as an empty one."""
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")):
        return
    if not isinstance(node, yaml.MappingNode):
        raise InventoryError(f"{what} is not a mapping (line {node.start_mark.line + 1})")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise InventoryError(f"{what} has a key that is not a word (line {key.start_mark.line + 1})")
        yield key.value, value


def _read_group(name: str, node: yaml.Node, groups: dict[str, _Group], addresses: dict[str, str]) -> None:
    group = groups.setdefault(name, _Group())
    for section, body in _items(node, f"group {name}"):
        if section == "hosts":
            for host, variables in _items(body, f"group {name}: hosts"):
                group.hosts.append(host)
                if address := _ansible_host(variables, f"host {host}"):
                    addresses[host] = address
        elif section == "children":
            for child, definition in _items(body, f"group {name}: children"):
                group.children.append(child)
                # Ansible allows a group to be written where it is listed; an empty entry only refers to one.
                if isinstance(definition, yaml.MappingNode) and definition.value:
                    _read_group(child, definition, groups, addresses)
        elif section == "vars":
            group.address = _ansible_host(body, f"group {name}: vars") or group.address


def _ansible_host(variables: yaml.Node, what: str) -> str | None:
    """Return the `ansible_host` among variables. The others are passed over unread: some are secret."""
    for name, value in _items(variables, what):
        if name == "ansible_host":
            if not isinstance(value, yaml.ScalarNode) or not value.value:
                raise InventoryError(f"{what}: ansible_host is not an address")
            return str(value.value)
    return None


def _resolve(name: str, groups: dict[str, _Group], above: tuple[str, ...]) -> list[str]:
    """Return the hosts of a group and of the groups below it, in the order in which they are written."""
    if name in above:
        raise InventoryError(f"group {name} contains itself: {' > '.join((*above[above.index(name) :], name))}")
    if name not in groups:
        raise InventoryError(f"group {above[-1]} has the child {name!r}, which is no group of the inventory")
    group = groups[name]
    below = [host for child in group.children for host in _resolve(child, groups, (*above, name))]
    return list(dict.fromkeys((*group.hosts, *below)))


def _in_order(groups: dict[str, _Group]) -> list[str]:
    return list(dict.fromkeys(host for group in groups.values() for host in group.hosts))


def _group_address(host: str, groups: dict[str, _Group]) -> str | None:
    """Return the address that a group gives its hosts, as TripleO does for the undercloud."""
    return next((group.address for group in groups.values() if host in group.hosts and group.address), None)


def is_loopback(address: str) -> bool:
    """Tell whether an address means the machine that connects to it."""
    return address in _LOOPBACK or address.startswith("127.")


def _undercloud(hosts: dict[str, str], roles: dict[str, list[str]], address: str | None) -> str | None:
    """Return which host is the undercloud, if the inventory has it."""
    of_the_group = [host for role, names in roles.items() if role.lower() == "undercloud" for host in names]
    local = [host for host in hosts if is_loopback(hosts[host])]
    there = [host for host in hosts if hosts[host] == address]
    return next(iter(local or dict.fromkeys(of_the_group) or there), None)


def _without_loopback(hosts: dict[str, str], undercloud_address: str | None) -> dict[str, str]:
    local = [host for host, address in hosts.items() if is_loopback(address)]
    if len(local) > 1:
        raise InventoryError(f"more than one host has a loopback address: {', '.join(local)}")
    if local and undercloud_address is None:
        raise UndercloudAddressMissing(f"missing, and the inventory has {hosts[local[0]]!r} for host {local[0]}")
    return {host: undercloud_address if host in local and undercloud_address else hosts[host] for host in hosts}
