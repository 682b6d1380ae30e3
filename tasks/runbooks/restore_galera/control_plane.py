"""Whether the site's hosts, Galera's nodes, the bundle's replicas and Pacemaker's nodes are the same, and where clients come in.

All three are written down in different places, and what is done to only a part of a cluster, or to two of them, can't end well:
the last step wants every replica promoted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from blocks.remote.errors import WaitExpired
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until
from blocks.site import Site
from tasks.database.cluster_address import cluster_nodes
from tasks.engine.checks import Check
from tasks.engine.questions import Questions
from tasks.engine.run import Run
from tasks.node import firewall, pacemaker
from tasks.node.firewall import Barriers
from tasks.node.pacemaker_cluster import Cluster, read_cluster, read_placement
from tasks.runbooks.restore_galera.membership import Membership, parse_names, read_names, resolve, short_name

T = TypeVar("T")
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
    role = pacemaker.parse_wanted_role(in_cib)
    if role.lower() in {"", "started", "master", "promoted"}:
        return Check("resource", "", f"{name} is enabled")
    reason = f"{name} has target-role={role}, so Pacemaker would not promote it"
    return Check("resource", "", f"target-role={role}", reason, f"`pcs resource enable {name}`")


@dataclass(frozen=True)
class Entrance:
    """Where clients come in.

    Attributes:
        further: Hosts besides those of the database's role that may hold the virtual address.
        check: Whether that is all of them.
    """

    further: tuple[str, ...]
    check: Check


def find_entrance(site: Site, vip: str, members: Membership) -> Entrance:
    """Find the hosts that hold the virtual address, or may hold it within a restore.

    With a role of its own for the database, it is held by the hosts that run haproxy.
    """
    name = "virtual address"
    resource = members.placement.addresses.get(vip)
    if resource is None:
        held = [one.host for one in members.hosts if vip in one.addresses]
        reason = "" if held else f"{vip} is no address of Pacemaker's, and none of the database's hosts holds it"
        hint = "is database.vip_key right? At a load balancer outside of the site's hosts, clients can't be kept off"
        return Entrance((), Check(name, "", f"{vip} is held by {', '.join(held)}", reason, "" if held else hint))
    may = {*members.placement.may_run(resource), *members.cluster.places.get(resource, ())}
    further: list[str] = []
    strangers = []
    for node in sorted(may):
        if members.host_called(node):
            continue
        host = next((other for other in site.hosts if short_name(other) == short_name(node)), None)
        if host is None:
            strangers.append(node)
        else:
            further.append(host)
    reason = (
        f"{vip} may be held by {', '.join(strangers)}, where clients can't be kept off: no host of the site"
        if strangers
        else ""
    )
    hint = "the inventory must have every host that can hold the virtual address" if strangers else ""
    return Entrance(tuple(further), Check(name, "", f"{vip} may be held by {', '.join(sorted(may))}", reason, hint))


def check_barriers(vip: str, port: int, by_host: dict[str, Barriers]) -> list[Check]:
    """Nothing keeps clients off that step 22 would not take away."""
    shown = f"{vip}:{port}"
    return [
        Check(
            "firewall",
            host,
            "clients are blocked" if barriers.stand else "clients are let in",
            f"a rule that is not this runbook's keeps clients off {shown}, and would do so after the restore: "
            f"{' '.join(barriers.wider[0])}"
            if barriers.wider
            else "",
            f"see who has set it and why; `{firewall.program(vip)} -D INPUT {' '.join(barriers.wider[0])}` deletes it"
            if barriers.wider
            else "",
        )
        for host, barriers in by_host.items()
    ]


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
    run: Run, silent: Collection[str], cluster: Cluster, vip: str | None, address: str | None
) -> ControlPlane:
    """Look at who belongs to the cluster, in which state it is, and where clients come in.

    Args:
        run: The run; a host that does not answer becomes a check of it.
        silent: Hosts that have not answered before, and are told already.
        cluster: What Pacemaker says.
        vip: The database's virtual address, if it is known.
        address: `wsrep_cluster_address`, if it is known.

    Raises:
        RunbookError: The first host does not answer.
    """
    database, first = run.site.database, run.first
    answering = [host for host in run.hosts if host.name not in silent]
    known = _everywhere(run, "names of the host", answering, read_names)
    members = Membership(
        hosts=tuple(known.get(host.name) or parse_names(host, "") for host in run.hosts),
        galera=resolve(first, cluster_nodes(address)) if address else {},
        cluster=cluster,
        placement=read_placement(first),
    )
    members = _once_settled(first, database.resource, members)
    in_cib = pacemaker.read_in_cib(first, database.resource)
    checks = [*check_cluster(members), *check_places(members), check_bundle(database.resource, in_cib)]
    same = check_nodes(run.site, database.role, members) if address else None
    checks += [same] if same else []
    managed = pacemaker.parse_charge(in_cib) == "managed"
    if not vip or (same and not same.ok):
        return ControlPlane(checks, tuple(run.hosts), {}, managed)
    entrance = find_entrance(run.site, vip, members)
    further = [run.site.shell(run.site.host(name)) for name in entrance.further]
    for shell in further:
        run.resources.callback(shell.close)
    everyone = [*answering, *further]
    barriers = _everywhere(run, "firewall", everyone, lambda shell: firewall.read_barriers(shell, vip, database.port))
    checks += [entrance.check, *check_barriers(vip, database.port, barriers)]
    return ControlPlane(checks, (*run.hosts, *further), barriers, managed)


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


def _everywhere(run: Run, what: str, hosts: Sequence[Shell], read: Callable[[Shell], T]) -> dict[str, T]:
    """Read something on hosts at once; one that fails becomes a check, and is left out of the answer."""
    with Questions(run.checks, at_once=len(hosts)) as questions:
        answers = {host.name: questions.ask(what, partial(read, host)) for host in hosts}
    return {name: answer.value for name, answer in answers.items() if answer.there}
