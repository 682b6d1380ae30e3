"""Pacemaker's cluster: its nodes and their states, where a resource may run, and who holds a virtual address."""

from __future__ import annotations

import ipaddress
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from blocks.remote.command import question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.node.bundle import Bundle, parse_bundle, read_status

Element = ElementTree.Element
# cibadmin's exit codes: an answer, and of Pacemaker 1.1 and of later ones that there is nothing of the kind.
_ANSWERED = (0, 6, 105)


@dataclass(frozen=True)
class Node:
    """A node of the cluster, no container of a bundle.

    Attributes:
        name: Its name in Pacemaker.
        troubles: What keeps Pacemaker from promoting a database on it: offline, standby, maintenance, unclean, pending.
    """

    name: str
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """What `crm_mon` says of the cluster.

    Attributes:
        nodes: Its nodes.
        bundle: The database's bundle.
        decides: Whether it has a coordinator (DC).
        quorum: Whether what it sees is the greater part of the cluster; None where it does not say.
        troubles: Properties that keep Pacemaker from managing resources: maintenance-mode, stop-all-resources.
        places: Resource → the nodes that it is on.
    """

    nodes: tuple[Node, ...]
    bundle: Bundle
    decides: bool
    quorum: bool | None
    troubles: tuple[str, ...]
    places: dict[str, frozenset[str]]


# TripleO's puppet names the resource of a virtual address so.
_ADDRESS = "ip-"


def addresses_of(cluster: Cluster, host: str) -> int:
    """How many virtual addresses a node holds.

    Args:
        cluster: What Pacemaker says.
        host: The node, by the inventory's name.
    """
    short = host.split(".")[0]
    return sum(
        name.startswith(_ADDRESS) and any(node.split(".")[0] == short for node in nodes)
        for name, nodes in cluster.places.items()
    )


def read_cluster(shell: Shell, bundle: str) -> Cluster:
    """Ask Pacemaker for its cluster and for a bundle in it.

    Raises:
        HostError: Pacemaker does not run, or has no such bundle.
    """
    return parse_cluster(shell.name, read_status(shell), bundle)


def parse_cluster(host: str, xml: str, bundle: str) -> Cluster:
    """Read what `crm_mon --as-xml` prints (Pacemaker 1.1 to 3.0).

    Raises:
        HostError: The bundle is not there, or the text is no XML.
    """
    of_bundle = parse_bundle(host, xml, bundle)
    root = ElementTree.fromstring(xml)  # noqa: S314 - Pacemaker's own, over pinned SSH
    coordinator, options = root.find("summary/current_dc"), root.find("summary/cluster_options")
    nodes = root.find("nodes")
    return Cluster(
        nodes=tuple(_parse_node(node) for node in ([] if nodes is None else nodes) if not _is_guest(node)),
        bundle=of_bundle,
        decides=coordinator is not None and coordinator.get("present") == "true",
        quorum=_quorum(coordinator, options),
        troubles=tuple(
            name
            for name in ("maintenance-mode", "stop-all-resources")
            if options is not None and options.get(name) == "true"
        ),
        places={resource.get("id", ""): _places(resource) for resource in root.iter("resource")},
    )


def _quorum(coordinator: Element | None, options: Element | None) -> bool | None:
    said = None if coordinator is None else coordinator.get("with_quorum")
    does_without = options is not None and options.get("no-quorum-policy") == "ignore"
    return None if said is None or does_without else said == "true"


# A container of a bundle is a node, too: of type `remote` until 2.1, and named by the resource that it runs in.
def _is_guest(node: Element) -> bool:
    return node.get("type") == "guest" or node.get("id_as_resource") is not None


def _parse_node(node: Element) -> Node:
    states = ("standby", "standby_onfail", "maintenance", "unclean", "pending")
    troubles = ["offline"] if node.get("online") == "false" else []
    return Node(node.get("name", ""), (*troubles, *(state for state in states if node.get(state) == "true")))


def _places(resource: Element) -> frozenset[str]:
    return frozenset(node.get("name", "") for node in resource.iter("node"))


@dataclass(frozen=True)
class Placement:
    """What the CIB says of where resources may run, and of the virtual addresses.

    Attributes:
        nodes: Node → its attributes.
        locations: Every location constraint.
        addresses: Address → the resource that holds it.
    """

    nodes: dict[str, dict[str, str]]
    locations: tuple[Element, ...]
    addresses: dict[str, str]

    def may_run(self, resource: str) -> frozenset[str]:
        """The nodes on which Pacemaker may run it; where a rule is not understood, one more rather than one less."""
        exclusive = [location for location in self._of(resource) if location.get("resource-discovery") == "exclusive"]
        return frozenset(
            name
            for name, attributes in self.nodes.items()
            if not exclusive or any(_allows(location, name, attributes) for location in exclusive)
        )

    def banned(self, *resources: str) -> dict[str, str]:
        """Node → the constraint that keeps one of these resources off it by the node's name."""
        return {
            location.get("node", ""): location.get("id", "")
            for resource in resources
            for location in self._of(resource)
            if location.get("score") == "-INFINITY" and location.get("node")
        }

    def _of(self, resource: str) -> list[Element]:
        return [location for location in self.locations if location.get("rsc") == resource]


def _allows(location: Element, node: str, attributes: dict[str, str]) -> bool:
    rules = location.findall("rule")
    if not rules:
        return location.get("node", "").lower() == node.lower() and location.get("score") != "-INFINITY"
    return any(_holds(rule, attributes) for rule in rules if rule.get("score") != "-INFINITY")


def _holds(rule: Element, attributes: dict[str, str]) -> bool:
    each = [_is_so(part, attributes) for part in rule]
    return any(each) if rule.get("boolean-op") == "or" else all(each)


def _is_so(part: Element, attributes: dict[str, str]) -> bool:
    if part.tag == "rule":
        return _holds(part, attributes)
    value = attributes.get(part.get("attribute", ""))
    known = {"eq": value == part.get("value"), "ne": value != part.get("value"), "defined": value is not None}
    return known.get(part.get("operation", ""), True) if part.tag == "expression" else True


def read_placement(shell: Shell) -> Placement:
    """Ask the CIB where resources may run.

    Raises:
        HostError: It does not answer.
    """
    parts = [
        question("cibadmin", "--query", "--scope", "nodes", ok=_ANSWERED),
        question("cibadmin", "--query", "--scope", "constraints", ok=_ANSWERED),
        question("cibadmin", "--query", "--xpath", "//primitive[starts-with(@type, 'IPaddr')]", ok=_ANSWERED),
    ]
    return parse_placement(shell.name, *(shell.run(part).stdout for part in parts))


def parse_placement(host: str, nodes: str, constraints: str, addresses: str) -> Placement:
    """Read three parts of the CIB.

    Raises:
        HostError: One of them is no XML.
    """
    return Placement(
        nodes={
            node.get("uname", ""): {pair.get("name", ""): pair.get("value", "") for pair in node.iter("nvpair")}
            for node in _parse(host, nodes).iter("node")
        },
        locations=tuple(_parse(host, constraints).iter("rsc_location")),
        addresses={
            address: primitive.get("id", "")
            for primitive in _parse(host, addresses).iter("primitive")
            for pair in primitive.iter("nvpair")
            if pair.get("name") == "ip" and (address := _address(pair.get("value", "")))
        },
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _parse(host: str, xml: str) -> Element:
    try:
        return ElementTree.fromstring(xml.strip() or "<nothing/>")  # noqa: S314 - Pacemaker's own, over pinned SSH
    except ElementTree.ParseError as error:
        raise HostError(host, f"cibadmin wrote no XML: {error}", "is Pacemaker running? `pcs status`") from error
