"""Pacemaker's nodes and what keeps them from holding a database, and where its CIB lets resources run."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from blocks.remote.errors import HostError
from tasks.node.pacemaker_cluster import Placement, parse_cluster, parse_placement, read_placement
from tests.unit.fakes import FakeShell
from tests.unit.tasks.crm import (
    Replica,
    bundle,
    cib_address,
    cib_constraints,
    cib_nodes,
    nodes,
    pacemaker_1_1,
    pacemaker_2_1,
    summary,
)

BOTH = pytest.mark.parametrize("write", [pacemaker_1_1, pacemaker_2_1])
HEALTHY = [Replica()] * 3
VIP = "172.16.2.99"


def status(of_nodes: str = "", of_cluster: str = "") -> str:
    inner = bundle(HEALTHY, True, ":", "galera-bundle", True)
    return f"<crm_mon>{of_cluster or summary()}{of_nodes or nodes()}<resources>{inner}</resources></crm_mon>"


@BOTH
def test_a_healthy_cluster_has_its_nodes_and_no_containers_among_them(write: object) -> None:
    cluster = parse_cluster("controller-0", write(HEALTHY), "galera-bundle")  # type: ignore[operator]
    assert [node.name for node in cluster.nodes] == ["controller-0", "controller-1", "controller-2"]
    assert all(node.troubles == () for node in cluster.nodes)
    assert (cluster.decides, cluster.quorum, cluster.troubles) == (True, True, ())
    assert cluster.bundle.replicas == 3
    assert cluster.places["ip-172.16.2.99"] == {"controller-0"}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ('online="false"', ("offline",)),
        ('standby="true"', ("standby",)),
        ('standby_onfail="true"', ("standby_onfail",)),
        ('maintenance="true"', ("maintenance",)),
        ('unclean="true"', ("unclean",)),
        ('pending="true"', ("pending",)),
        ('online="false" unclean="true"', ("offline", "unclean")),
    ],
)
def test_a_node_that_can_hold_no_database_is_told_with_its_state(state: str, told: tuple[str, ...]) -> None:
    cluster = parse_cluster("x", status(nodes(states={"controller-1": state})), "galera-bundle")
    assert [node.troubles for node in cluster.nodes] == [(), told, ()]


@pytest.mark.parametrize(
    ("of_cluster", "decides", "quorum", "troubles"),
    [
        (summary(quorum=False), True, False, ()),
        (summary(quorum=False, no_quorum_policy="ignore"), True, None, ()),
        (summary(coordinator=False), False, True, ()),
        (summary(maintenance_mode="true"), True, True, ("maintenance-mode",)),
        (summary(stop_all_resources="true"), True, True, ("stop-all-resources",)),
        ("<summary/>", False, None, ()),
    ],
)
def test_what_keeps_pacemaker_from_managing_anything_is_told(
    of_cluster: str, decides: bool, quorum: bool | None, troubles: tuple[str, ...]
) -> None:
    cluster = parse_cluster("x", status(of_cluster=of_cluster), "galera-bundle")
    assert (cluster.decides, cluster.quorum, cluster.troubles) == (decides, quorum, troubles)


@pytest.mark.parametrize("kind", ['type="guest"', 'type="remote" id_as_resource="galera-bundle-podman-9"'])
def test_a_guest_is_no_node_of_the_cluster_and_a_remote_node_is_one(kind: str) -> None:
    more = f'<node name="galera-bundle-9" online="false" {kind}/><node name="messaging-0" online="true" type="remote"/>'
    cluster = parse_cluster("x", status(nodes().replace("</nodes>", f"{more}</nodes>")), "galera-bundle")
    assert [node.name for node in cluster.nodes][3:] == ["messaging-0"]


SPLIT = {
    **{f"controller-{number}": ("haproxy-role",) for number in range(3)},
    **{f"database-{number}": ("galera-role",) for number in range(3)},
}


def placement(*more: str, of: Mapping[str, tuple[str, ...]] | None = None) -> Placement:
    return parse_placement("x", cib_nodes(of), cib_constraints(*more), cib_address())


def test_a_resource_runs_where_its_role_is() -> None:
    seen = placement(of=SPLIT)
    assert seen.may_run("galera-bundle") == {"database-0", "database-1", "database-2"}
    assert seen.may_run("ip-172.16.2.99") == {"controller-0", "controller-1", "controller-2"}
    assert seen.addresses == {VIP: "ip-172.16.2.99"}


def test_a_resource_without_a_constraint_runs_anywhere() -> None:
    assert placement(of=SPLIT).may_run("something") == set(SPLIT)


def location(body: str, more: str = 'resource-discovery="exclusive"') -> str:
    return f'<rsc_location id="l" rsc="something" {more}>{body}</rsc_location>'


RULES = {
    "eq": ('<rule score="0"><expression attribute="galera-role" operation="eq" value="true"/></rule>', "database"),
    "ne": ('<rule score="0"><expression attribute="galera-role" operation="ne" value="true"/></rule>', "controller"),
    "defined": (
        '<rule score="INFINITY"><expression attribute="haproxy-role" operation="defined"/></rule>',
        "controller",
    ),
    "not defined": ('<rule score="0"><expression attribute="haproxy-role" operation="not_defined"/></rule>', ""),
    "or": (
        '<rule score="0" boolean-op="or"><expression attribute="galera-role" operation="eq" value="true"/>'
        '<expression attribute="haproxy-role" operation="eq" value="true"/></rule>',
        "",
    ),
    "a date": ('<rule score="0"><date_expression operation="gt" start="2026-01-01"/></rule>', ""),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule_that_is_not_understood_takes_one_node_more_rather_than_one_less(case: str) -> None:
    body, begins = RULES[case]
    wanted = {name for name in SPLIT if name.startswith(begins)}
    assert wanted <= placement(location(body), of=SPLIT).may_run("something")
    if begins:
        assert placement(location(body), of=SPLIT).may_run("something") == wanted


def test_a_ban_is_told_with_its_constraint() -> None:
    ban = '<rsc_location id="cli-ban-galera-bundle-on-controller-1" rsc="galera-bundle" node="controller-1" score="-INFINITY"/>'
    prefers = '<rsc_location id="p" rsc="galera-bundle" node="controller-2" score="100"/>'
    assert placement(ban, prefers).banned("galera-bundle") == {"controller-1": "cli-ban-galera-bundle-on-controller-1"}


def test_an_address_of_ipv6_is_known_by_its_value_and_not_by_its_resource() -> None:
    name = "ip-fd00.fd00.fd00.2000..14"
    seen = parse_placement("x", cib_nodes(), cib_constraints(), cib_address("fd00:fd00:fd00:2000:0::14", name))
    assert seen.addresses == {"fd00:fd00:fd00:2000::14": name}


@pytest.mark.parametrize("code", [6, 105])
def test_a_cluster_without_constraints_or_addresses_is_read_too(code: int) -> None:
    shell = FakeShell().on("cibadmin", say=code).on("--scope nodes", say=cib_nodes())
    seen = read_placement(shell)
    assert (seen.addresses, seen.locations) == ({}, ())
    assert seen.may_run("galera-bundle") == {"controller-0", "controller-1", "controller-2"}


def test_what_is_no_xml_is_refused() -> None:
    with pytest.raises(HostError, match="cibadmin wrote no XML"):
        parse_placement("x", "Error: not available", "", "")
