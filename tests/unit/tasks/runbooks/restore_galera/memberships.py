"""Sites and memberships of clusters, whole unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.site import Site
from tasks.engine.checks import Check
from tasks.node.pacemaker_cluster import parse_cluster, parse_placement
from tasks.runbooks.restore_galera.membership import KnownAs, Membership
from tests.unit.tasks.crm import (
    Replica,
    bundle,
    cib_address,
    cib_constraints,
    cib_nodes,
    nodes,
    summary,
    virtual_address,
)
from tests.unit.tasks.samples import SITE

DATABASES, CONTROLLERS = (tuple(f"{kind}-{number}" for number in range(3)) for kind in ("database", "controller"))


def site(roles: dict[str, list[str]], hosts: tuple[str, ...]) -> Site:
    addresses = {name: f"192.0.2.{number}" for number, name in enumerate(hosts, 1)}
    return Site(site="lab", hosts=addresses, roles=roles, ssh=SITE.ssh, database=SITE.database)


def known(name: str, *more: str) -> KnownAs:
    return KnownAs(name, frozenset({name, *more}), frozenset())


def members(
    hosts: tuple[str, ...] = CONTROLLERS,
    galera: tuple[str, ...] = CONTROLLERS,
    replicas: int = 3,
    of_nodes: str = "",
    of_cluster: str = "",
    roles: Mapping[str, tuple[str, ...]] | None = None,
    constraints: str = "",
    others: tuple[KnownAs, ...] = (),
) -> Membership:
    inner = bundle([Replica()] * replicas, True, ":", "galera-bundle", True)
    xml = (
        f"<crm_mon>{of_cluster or summary()}{of_nodes or nodes(replicas)}"
        f"<resources>{virtual_address()}{inner}</resources></crm_mon>"
    )
    return Membership(
        tuple(map(known, hosts)),
        {f"{name}.internalapi.localdomain": frozenset() for name in galera},
        parse_cluster("x", xml, "galera-bundle"),
        parse_placement("x", cib_nodes(roles), cib_constraints(constraints), cib_address()),
        others,
    )


def reasons(checks: list[Check]) -> list[str]:
    return [str(check) for check in checks if not check.ok]
