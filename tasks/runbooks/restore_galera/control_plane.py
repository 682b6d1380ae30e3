"""Whether the site's hosts, Galera's nodes, the bundle's replicas and Pacemaker's nodes are the same, and ready for a restore.

All three are written down in different places, and what is done to only a part of a cluster, or to two of them, can't end well:
the last step wants every replica promoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from blocks.remote.errors import WaitExpired
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until
from blocks.site import Site
from tasks.database.cluster_address import cluster_nodes
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import firewall
from tasks.node.bundle import MANAGED, parse_managed_state, parse_target_role, read_configuration
from tasks.node.firewall import Barriers
from tasks.node.pacemaker_cluster import Cluster, read_cluster, read_placement
from tasks.runbooks.restore_galera.entrance import check_barriers, client_hosts, find_entrance
from tasks.runbooks.restore_galera.membership import KnownAs, Membership, parse_names, resolve

# A controller that has lost power was seen to be back in Pacemaker half a minute after SSH.
_JOIN_S = 60
_NODES = "nodes of the cluster"


def check_nodes(site: Site, role: str, members: Membership) -> Check:
    """The role's hosts are Galera's nodes, the bundle's replicas and the nodes that Pacemaker runs them on."""
    hosts = [one.host for one in members.hosts]
    bundle = members.cluster.bundle
    differences = [
        *_difference("wsrep_cluster_address", hosts, {node: members.host_of_node(node) for node in members.galera}),
        *([f"{bundle.name} has {bundle.replicas} replicas"] if bundle.replicas != len(hosts) else []),
        *_difference("Pacemaker", hosts, {name: members.host_called(name) for name in members.pacemakers}),
    ]
    listed = f"group {role} of the inventory has {', '.join(hosts)}"
    if not differences:
        return Check(_NODES, "", listed)
    return Check(_NODES, "", listed, f"{listed}, but {'; '.join(differences)}", _hint(site, role, members))


def _difference(where: str, hosts: Sequence[str], nodes: dict[str, str]) -> list[str]:
    strangers = [node for node, host in nodes.items() if not host]
    missing = [host for host in hosts if host not in nodes.values()]
    return [
        *([f"{where} also has {', '.join(strangers)}"] if strangers else []),
        *([f"{where} does not have {', '.join(missing)}"] if missing else []),
    ]


def _hint(site: Site, role: str, members: Membership) -> str:
    hosts = {one.host for one in members.hosts}
    here = {host for host in map(members.host_of_node, members.galera) if host}
    parts = [name for name, of in site.roles.items() if name.endswith(role) and name != role and set(of) < hosts]
    if here < hosts and parts:
        exact = [name for name in parts if set(site.roles[name]) == here]
        of_first = f"; {exact[0]} is the one of {members.hosts[0].host}" if exact else ""
        return f"name the group of one cluster in the site file ([database] role): {', '.join(parts)}{of_first}"
    return (
        f"a restore takes the whole cluster: list all of its nodes in group {role}; a controller that is down is brought back, "
        "or replaced, first"
    )


def check_cluster(members: Membership) -> list[Check]:
    """Pacemaker decides, has quorum, and manages what it has."""
    cluster = members.cluster
    checks = []
    if not cluster.decides:
        checks.append(
            Check(
                "Pacemaker", "", "no DC", "Pacemaker has no coordinator (DC)", "see `pcs status`; wait until it has one"
            )
        )
    elif cluster.quorum is False:
        hint = "bring back the nodes that are away (`pcs status`)"
        checks.append(Check("Pacemaker", "", "no quorum", "Pacemaker has no quorum, so it would start nothing", hint))
    checks += [
        Check(
            "Pacemaker",
            "",
            f"{name}=true",
            f"Pacemaker's property {name} is true, so it would not take the database back",
            f"`pcs property set {name}=false`, once whoever has set it agrees",
        )
        for name in cluster.troubles
    ]
    online = sum(not node.troubles for node in cluster.nodes)
    return checks or [
        Check("Pacemaker", "", f"{online} of {len(cluster.nodes)} nodes online, with a coordinator and quorum")
    ]


_REMEDIES = {
    "offline": "start it: `pcs cluster start {node}`",
    "standby": "`pcs node unstandby {node}`",
    "standby_onfail": "`pcs resource cleanup`, after what has failed there",
    "maintenance": "`pcs node unmaintenance {node}`",
    "unclean": "see `pcs status` and fencing",
    "pending": "wait until it has joined (`pcs status`)",
}


def check_places(members: Membership) -> list[Check]:
    """Every node of the role can hold a promoted replica."""
    bundle, checks = members.cluster.bundle.name, []
    banned = members.placement.banned(bundle, f"{bundle}-master", f"{bundle}-clone")
    for node in members.cluster.nodes:
        host = members.host_called(node.name)
        if not host:
            continue
        checks += [
            Check(
                "node of Pacemaker",
                host,
                trouble,
                f"node {node.name} is {trouble} in Pacemaker, so its replica can't be promoted",
                _REMEDIES[trouble].format(node=node.name),
            )
            for trouble in node.troubles
        ]
        constraint = next((of for name, of in banned.items() if members.host_called(name) == host), "")
        if constraint:
            reason = f"constraint {constraint} keeps {bundle} off node {node.name}, so its replica can't be promoted"
            hint = f"`pcs constraint remove {constraint}`, or `pcs resource clear {bundle}`"
            checks.append(Check("node of Pacemaker", host, constraint, reason, hint))
        if not node.troubles and not constraint:
            checks.append(Check("node of Pacemaker", host, "online"))
    return checks


def check_bundle(name: str, in_cib: str) -> Check:
    """The resource is not disabled."""
    role = parse_target_role(in_cib)
    if role.lower() in {"", "started", "master", "promoted"}:
        return Check("resource", "", f"{name} is enabled")
    reason = f"{name} has target-role={role}, so Pacemaker would not promote it"
    return Check("resource", "", f"target-role={role}", reason, f"`pcs resource enable {name}`")


@dataclass(frozen=True)
class ControlPlane:
    """What was found.

    Attributes:
        checks: Everything that was looked at.
        entrance: The hosts at which clients are kept off.
        barriers: Host → what keeps clients off there.
        managed: Whether Pacemaker is in charge of the database.
    """

    checks: list[Check]
    entrance: tuple[Shell, ...]
    barriers: dict[str, Barriers]
    managed: bool

    @property
    def fenced(self) -> bool:
        """Whether clients are kept off everywhere."""
        return all(host.name in self.barriers and self.barriers[host.name].stand for host in self.entrance)


def look_at_control_plane(
    run: Run, known: Mapping[str, KnownAs], cluster: Cluster, vip: str | None, address: str | None
) -> ControlPlane:
    """Look at who belongs to the cluster, in which state it is, and where clients come in.

    Args:
        run: The run; a host that does not answer becomes a check of it.
        known: The hosts that have answered, and what they are called; the others are told already.
        cluster: What Pacemaker says.
        vip: The database's virtual address, if it is known.
        address: `wsrep_cluster_address`, if it is known.

    Raises:
        RunbookError: The first host does not answer.
    """
    database, first = run.site.database, run.first
    databases = run.hosts_with(database.role)
    called = {host.name: known.get(host.name) or parse_names(host, "") for host in client_hosts(run)}
    members = Membership(
        hosts=tuple(called.pop(host.name) for host in databases),
        galera=resolve(first, cluster_nodes(address)) if address else {},
        cluster=cluster,
        placement=read_placement(first),
        others=tuple(called.values()),
    )
    members = _once_settled(first, database.resource, members)
    in_cib = read_configuration(first, database.resource)
    checks = [*check_cluster(members), *check_places(members), check_bundle(database.resource, in_cib)]
    same = check_nodes(run.site, database.role, members) if address else None
    checks += [same] if same else []
    managed = parse_managed_state(in_cib) == MANAGED
    if not vip or (same and not same.ok):
        return ControlPlane(checks, tuple(databases), {}, managed)
    entrance = find_entrance(run.site, vip, members)
    everyone = (*databases, *(run.shells[name] for name in entrance.further))
    barriers = run.everywhere(
        "firewall",
        lambda shell: firewall.read_barriers(shell, vip, database.port),
        [host for host in everyone if host.name in known],
    )
    checks += [entrance.check, *check_barriers(vip, database.port, barriers)]
    return ControlPlane(checks, everyone, barriers, managed)


def _once_settled(first: Shell, bundle: str, members: Membership) -> Membership:
    """Give a node that has just booted the time to join; where it does not, it is told as it is."""

    def look() -> str:
        nonlocal members
        members = replace(members, cluster=read_cluster(first, bundle))
        return ", ".join(members.settling) or "settled"

    if members.settling:
        with suppress(WaitExpired):
            wait_until(first.name, "Pacemaker's cluster", "settled", look, _JOIN_S)
    return members
