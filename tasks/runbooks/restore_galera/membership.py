"""Who belongs to the cluster: the hosts of the database's role, Galera's nodes, Pacemaker's nodes, and which is which.

Each is written down in another place and in another way: by names of the inventory, of the internal API's network or of the
host itself, in small letters or not, or by addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.node.pacemaker_cluster import Cluster, Placement


@dataclass(frozen=True)
class KnownAs:
    """A host and what it is called.

    Attributes:
        host: Its name in the inventory.
        names: Its host names, in small letters, each in full and without its domain.
        addresses: Its IP addresses.
    """

    host: str
    names: frozenset[str]
    addresses: frozenset[str]

    def owns(self, node: str, resolved: Iterable[str] = ()) -> bool:
        """Whether a node's name or address is this host's."""
        return node in self.addresses or any(address in self.addresses for address in resolved) or self.is_called(node)

    def is_called(self, name: str) -> bool:
        """Whether it goes by this name, with whatever domain."""
        return not {name.lower(), short_name(name)}.isdisjoint(self.names)


def short_name(name: str) -> str:
    """A host name without its domain; an address as it is."""
    whole = name.lower()
    return whole if ":" in whole or whole.replace(".", "").isdigit() else whole.partition(".")[0]


_NAMES = r"""
for name in "$(hostname)" "$(hostname -f 2>/dev/null)"; do [ -z "$name" ] || echo "name $name"; done
ip -o addr show | awk '{ sub("/.*", "", $4); print "address", $4 }'
"""


def parse_names(host: Shell, text: str) -> KnownAs:
    """Read what a host says of its names and addresses."""
    said = [line.split() for line in text.splitlines() if line.strip()]
    names = [host.name, *(words[1] for words in said if words[0] == "name")]
    addresses = {words[1] for words in said if words[0] == "address"} - {"127.0.0.1", "::1"}
    return KnownAs(
        host.name,
        frozenset(name.lower() for name in names) | frozenset(map(short_name, names)),
        frozenset({*addresses, host.address}),
    )


def read_names(shell: Shell) -> KnownAs:
    """Ask a host for its names and addresses."""
    return parse_names(shell, shell.run(script(_NAMES, quiet=True, changes=False)).stdout)


_RESOLVE = r"""
for name; do
  { getent ahosts "$name" || :; } | while read -r address _; do echo "$name $address"; done
done
"""


def resolve(shell: Shell, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Resolve names as a host does; one that it does not know has no address."""
    lines = [
        line.split() for line in shell.run(script(_RESOLVE, *names, quiet=True, changes=False)).stdout.splitlines()
    ]
    return {name: frozenset(words[1] for words in lines if len(words) == 2 and words[0] == name) for name in names}


@dataclass(frozen=True)
class Membership:
    """Who belongs to the cluster, from each of the places where it is written down.

    Attributes:
        hosts: The hosts of the database's role.
        galera: Node of `wsrep_cluster_address` → the addresses that its name has.
        cluster: Pacemaker's cluster.
        placement: Where Pacemaker may run what.
        others: The run's other hosts, which may hold the virtual address.
    """

    hosts: tuple[KnownAs, ...]
    galera: dict[str, frozenset[str]]
    cluster: Cluster
    placement: Placement
    others: tuple[KnownAs, ...] = ()

    def host_of_node(self, node: str) -> str:
        """The host that a node of Galera is; empty for none of the role's."""
        return next((one.host for one in self.hosts if one.owns(node, self.galera.get(node, ()))), "")

    def host_called(self, name: str) -> str:
        """The host that a node of Pacemaker is; empty for none of the role's."""
        return next((one.host for one in self.hosts if one.owns(name)), "")

    def other_called(self, name: str) -> str:
        """The host beside those of the role that a node of Pacemaker is; empty for none of the run's."""
        return next((one.host for one in self.others if one.owns(name)), "")

    @property
    def settling(self) -> list[str]:
        """What may come by itself, as after a controller has lost power: a node that joins, a coordinator, quorum."""
        cluster = self.cluster
        whole = [] if cluster.decides and cluster.quorum is not False else ["no coordinator or no quorum"]
        states = [
            (node.name, state) for node in cluster.nodes for state in node.troubles if self.host_called(node.name)
        ]
        return [*whole, *(f"{name} {state}" for name, state in states if state in {"offline", "pending", "unclean"})]

    @property
    def pacemakers(self) -> list[str]:
        """Pacemaker's nodes on which the bundle may run."""
        allowed = {name.lower() for name in self.placement.may_run(self.cluster.bundle.name)}
        names = [node.name for node in self.cluster.nodes]
        return [name for name in names if not self.placement.nodes or name.lower() in allowed]
