"""Where clients come in: the hosts that may hold the database's virtual address, and what keeps clients off there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import firewall
from tasks.node.firewall import Barriers
from tasks.runbooks.restore_galera.membership import Membership


@dataclass(frozen=True)
class Entrance:
    """Where clients come in.

    Attributes:
        further: The run's hosts besides those of the database's role that may hold the virtual address.
        check: Whether that is all of them.
    """

    further: tuple[str, ...]
    check: Check


def client_hosts(run: Run) -> list[Shell]:
    """The run's hosts where clients may come in, those of the database's role first; not the store's."""
    hosts = run.site.select(run.site.database_roles())
    return [run.shells[host.name] for host in hosts if host.name in run.shells]


def find_entrance(site: Site, vip: str, members: Membership) -> Entrance:
    """Find the hosts that hold the virtual address, or may hold it within a restore.

    With a role of its own for the database, it is held by the hosts that run haproxy. One that the run does not work on is
    not locked, so that no rule may be set there.
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
        host = members.other_called(node)
        if host:
            further.append(host)
        else:
            strangers.append(node)
    seen = f"{vip} may be held by {', '.join(sorted(may))}"
    if not strangers:
        return Entrance(tuple(further), Check(name, "", seen))
    roles = site.database_roles()
    reason = (
        f"{vip} may be held by {', '.join(strangers)}, where clients can't be kept off: no host of group "
        f"{' or '.join(roles)} of the inventory"
    )
    hint = (
        f"list every host that can hold the virtual address in group {(*roles[1:], 'haproxy')[0]} of the inventory, and "
        "`apply` the site"
    )
    return Entrance(tuple(further), Check(name, "", seen, reason, hint))


def check_barriers(vip: str, port: int, by_host: Mapping[str, Barriers]) -> list[Check]:
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
