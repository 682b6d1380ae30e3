"""Who belongs to the cluster, in which state it is, and where clients come in: compared, and refused where it differs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from blocks.remote.errors import Unreachable
from blocks.site import Site
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node.firewall import Barriers
from tasks.node.pacemaker_cluster import parse_cluster, parse_placement
from tasks.runbooks.restore_galera.control_plane import (
    ControlPlane,
    check_barriers,
    check_bundle,
    check_cluster,
    check_nodes,
    check_places,
    find_entrance,
)
from tasks.runbooks.restore_galera.membership import KnownAs, Membership
from tests.unit.fakes import FakeClock, FakeShell
from tests.unit.tasks.control_plane import BLOCKING, NODES, VIP, control_plane
from tests.unit.tasks.crm import (
    Replica,
    bundle,
    cib_address,
    cib_constraints,
    cib_nodes,
    in_cib,
    nodes,
    pacemaker_2_1,
    summary,
    virtual_address,
)
from tests.unit.tasks.looking import look, refusal
from tests.unit.tasks.samples import SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine")
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
    )


def reasons(checks: list[Check]) -> list[str]:
    return [str(check) for check in checks if not check.ok]


def test_a_whole_cluster_is_one() -> None:
    seen = members()
    assert check_nodes(SITE, "mysql", seen).ok
    assert reasons([*check_cluster(seen), *check_places(seen)]) == []


# -- hosts, nodes, replicas


def test_two_of_three_controllers_are_refused_with_every_difference() -> None:
    check = check_nodes(SITE, "mysql", members(CONTROLLERS[:2]))
    assert check.reason == (
        "group mysql of the inventory has controller-0, controller-1, but wsrep_cluster_address also has "
        "controller-2.internalapi.localdomain; galera-bundle has 3 replicas; Pacemaker also has controller-2"
    )
    assert "a controller that is down is brought back" in check.hint


def test_a_host_that_galera_does_not_have_is_refused() -> None:
    check = check_nodes(SITE, "mysql", members((*CONTROLLERS, "controller-3")))
    assert "wsrep_cluster_address does not have controller-3; galera-bundle has 3 replicas" in check.reason
    assert "Pacemaker does not have controller-3" in check.reason


def test_another_host_in_place_of_one_is_refused() -> None:
    check = check_nodes(SITE, "mysql", members(("controller-0", "controller-1", "controller-9")))
    assert "also has controller-2.internalapi" in check.reason
    assert "does not have controller-9" in check.reason


def test_an_overcloud_with_its_cells_is_refused_with_the_groups_of_each_cluster() -> None:
    cells = tuple(f"cell1-controller-{number}" for number in range(3))
    overcloud = tuple(f"overcloud-controller-{number}" for number in range(3))
    roles = {
        "mysql": [*cells, *overcloud],
        "cell1_mysql": list(cells),
        "overcloud_mysql": list(overcloud),
        "Compute": [cells[0]],
    }
    seen = members((*cells, *overcloud), cells, of_nodes=nodes(0), roles=dict.fromkeys(cells, ("galera-role",)))
    check = check_nodes(site(roles, (*cells, *overcloud)), "mysql", seen)
    assert "wsrep_cluster_address does not have overcloud-controller-0" in check.reason
    assert "([database] role): cell1_mysql, overcloud_mysql; cell1_mysql is the one of cell1-controller-0" in check.hint


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_another_number_of_replicas_is_refused(replicas: int) -> None:
    seen = members(replicas=replicas, of_nodes=nodes(3))
    assert f"galera-bundle has {replicas} replicas" in check_nodes(SITE, "mysql", seen).reason


def test_nodes_of_pacemaker_without_the_database_are_no_difference() -> None:
    roles = {**dict.fromkeys(DATABASES, ("galera-role",)), **dict.fromkeys(CONTROLLERS, ("haproxy-role",))}
    both = nodes().replace(
        "</nodes>", "".join(f'<node name="{name}" online="true"/>' for name in DATABASES) + "</nodes>"
    )
    seen = members(DATABASES, DATABASES, of_nodes=both, roles=roles)
    assert check_nodes(SITE, "mysql", seen).ok


# -- the state of Pacemaker


STATES = {
    "no DC": (summary(coordinator=False), "Pacemaker has no coordinator (DC)", "pcs status"),
    "no quorum": (summary(quorum=False), "Pacemaker has no quorum", "bring back the nodes"),
    "maintenance": (summary(maintenance_mode="true"), "property maintenance-mode is true", "maintenance-mode=false"),
    "all is stopped": (summary(stop_all_resources="true"), "property stop-all-resources is true", "=false"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_pacemaker_that_would_not_take_the_database_back_is_refused(case: str) -> None:
    of_cluster, reason, hint = STATES[case]
    (told,) = reasons(check_cluster(members(of_cluster=of_cluster)))
    assert reason in told
    assert hint in told


@pytest.mark.parametrize(
    ("state", "trouble", "remedy"),
    [
        ('standby="true"', "standby", "pcs node unstandby controller-1"),
        ('maintenance="true"', "maintenance", "pcs node unmaintenance controller-1"),
        ('online="false"', "offline", "pcs cluster start controller-1"),
        ('unclean="true"', "unclean", "fencing"),
        ('pending="true"', "pending", "wait"),
        ('standby_onfail="true"', "standby_onfail", "cleanup"),
    ],
)
def test_a_node_that_can_hold_no_promoted_replica_is_refused(state: str, trouble: str, remedy: str) -> None:
    (told,) = reasons(check_places(members(of_nodes=nodes(states={"controller-1": state}))))
    assert told.startswith(f"controller-1: node controller-1 is {trouble} in Pacemaker")
    assert remedy in told


def test_a_node_that_holds_no_database_may_be_in_any_state() -> None:
    other = '<node name="messaging-0" online="false" standby="true" type="member"/></nodes>'
    assert reasons(check_places(members(of_nodes=nodes().replace("</nodes>", other)))) == []


def test_a_ban_is_refused_with_the_constraint() -> None:
    ban = '<rsc_location id="cli-ban-1" rsc="galera-bundle" node="controller-1" score="-INFINITY"/>'
    (told,) = reasons(check_places(members(constraints=ban)))
    assert "constraint cli-ban-1 keeps galera-bundle off node controller-1" in told


@pytest.mark.parametrize(
    ("role", "refused"), [("Stopped", True), ("Slave", True), ("Unpromoted", True), ("Started", False)]
)
def test_a_disabled_resource_is_refused(role: str, refused: bool) -> None:
    xml = in_cib().replace("</meta_attributes>", f'<nvpair name="target-role" value="{role}"/></meta_attributes>', 1)
    check = check_bundle("galera-bundle", xml)
    assert check.ok is not refused
    assert not refused or "pcs resource enable galera-bundle" in check.hint


# -- where clients come in


def entrance_of(seen: Membership, where: Site, hosts: tuple[str, ...]) -> tuple[list[str], Check]:
    found = find_entrance(where, VIP, seen)
    return [*hosts, *found.further], found.check


def test_clients_are_kept_off_where_the_virtual_address_may_be() -> None:
    roles = {**dict.fromkeys(DATABASES, ("galera-role",)), **dict.fromkeys(CONTROLLERS, ("haproxy-role",))}
    both = site({"mysql": list(DATABASES)}, (*DATABASES, *CONTROLLERS, "compute-0"))
    found, check = entrance_of(members(DATABASES, DATABASES, roles=roles), both, DATABASES)
    assert found == [*DATABASES, *CONTROLLERS]
    assert check.ok


def test_where_it_is_on_the_controllers_these_are_all() -> None:
    assert entrance_of(members(), SITE, CONTROLLERS)[0] == list(CONTROLLERS)


def test_a_holder_that_is_no_host_of_the_site_is_refused() -> None:
    roles = {**dict.fromkeys(DATABASES, ("galera-role",)), **dict.fromkeys(CONTROLLERS, ("haproxy-role",))}
    alone = site({"mysql": list(DATABASES)}, DATABASES)
    _, check = entrance_of(members(DATABASES, DATABASES, roles=roles), alone, DATABASES)
    assert f"{VIP} may be held by controller-0, controller-1, controller-2, where clients can't be kept off" in str(
        check
    )


def test_an_address_that_nobody_holds_is_refused() -> None:
    seen = members()
    found = find_entrance(SITE, "10.0.0.5", seen)
    assert "10.0.0.5 is no address of Pacemaker's" in found.check.reason
    held = Membership(
        (KnownAs("controller-0", frozenset(), frozenset({"10.0.0.5"})),), {}, seen.cluster, seen.placement
    )
    assert find_entrance(SITE, "10.0.0.5", held).check.ok


def test_a_rule_that_step_22_would_leave_is_refused() -> None:
    wider = (("-p", "tcp", "--dport", "3306", "-j", "DROP"),)
    checks = check_barriers(VIP, 3306, {"controller-0": Barriers(ours=True), "controller-1": Barriers(wider=wider)})
    (told,) = reasons(checks)
    assert told.startswith("controller-1: a rule that is not this runbook's keeps clients off 172.16.2.99:3306")
    assert "iptables -D INPUT -p tcp --dport 3306 -j DROP" in told


@pytest.mark.parametrize(
    ("barriers", "fenced"),
    [
        ({"controller-0": Barriers(ours=True), "controller-1": Barriers(by_hand=(("-j", "DROP"),))}, True),
        ({"controller-0": Barriers(ours=True), "controller-1": Barriers()}, False),
        ({"controller-0": Barriers(ours=True)}, False),
    ],
)
def test_clients_are_kept_off_where_every_host_has_a_rule(barriers: dict[str, Barriers], fenced: bool) -> None:
    hosts = tuple(FakeShell(name) for name in CONTROLLERS[:2])
    assert ControlPlane([], hosts, barriers, managed=True).fenced is fenced


# -- all of it in preflight


def test_a_role_of_its_own_for_the_database_has_the_rule_where_haproxy_is(monkeypatch: pytest.MonkeyPatch) -> None:
    run, shells = control_plane()
    balancers = ("balancer-0", "balancer-1")
    roles = {**dict.fromkeys(CONTROLLERS, ("galera-role",)), **dict.fromkeys(balancers, ("haproxy-role",))}
    shells[0].on("--scope nodes", say=cib_nodes(roles))
    run.site = site({"mysql": list(CONTROLLERS)}, (*CONTROLLERS, *balancers))
    reached = {name: FakeShell(name).on("iptables -w -S INPUT", say=BLOCKING) for name in balancers}
    monkeypatch.setattr(Site, "shell", lambda _, host: reached[host.name])
    facts, _ = look(run)
    assert [host.name for host in facts.entrance] == [*CONTROLLERS, *balancers]
    run.resources.close()
    assert all(reached[name].closed for name in balancers)
    reached["balancer-1"].on("", say=Unreachable("balancer-1", "no SSH session"))
    assert refusal(run, shells) == ("balancer-1: no SSH session",)


def test_preflight_refuses_two_of_three_controllers_before_the_dump_is_read() -> None:
    _, shells = control_plane()
    run = Run("restore-galera", SITE, {shell.name: shell for shell in shells[:2]}, False, journal())
    (told,) = refusal(run, shells[:2])
    assert "group mysql of the inventory has controller-0, controller-1, but" in told


def test_all_that_is_wrong_with_the_cluster_is_told_together() -> None:
    run, shells = control_plane()
    text = pacemaker_2_1([Replica()] * 3).replace('maintenance-mode="false"', 'maintenance-mode="true"')
    text = text.replace("maintenance-mode='false'", "maintenance-mode='true'")
    shells[0].on("crm_mon", say=text.replace('standby="false"', 'standby="true"', 1))
    shells[0].on("podman exec", "cat", "galera.cnf", say=f"[mysqld]\nwsrep_cluster_address = {NODES},controller-7\n")
    told = refusal(run, shells)
    assert len(told) == 3
    assert any("maintenance-mode is true" in reason for reason in told)
    assert any("node controller-0 is standby" in reason for reason in told)
    assert any("also has controller-7" in reason for reason in told)


def test_a_node_that_has_just_booted_has_the_time_to_join(clock: FakeClock) -> None:
    run, shells = control_plane()
    whole = pacemaker_2_1([Replica()] * 3)
    joins = whole.replace('online="true"', 'online="false"', 1)
    shells[0].on("crm_mon", say=[joins, joins, whole.replace('pending="false"', 'pending="true"', 1), whole])
    look(run)
    assert len(shells[0].lines("crm_mon")) == 4


def test_a_node_that_does_not_join_is_told(clock: FakeClock) -> None:
    run, shells = control_plane()
    shells[0].on("crm_mon", say=pacemaker_2_1([Replica()] * 3).replace('online="true"', 'online="false"', 1))
    began = clock.now
    (told,) = refusal(run, shells)
    assert "node controller-0 is offline" in told
    assert 50 < clock.now - began < 90


def test_rules_by_hand_are_no_reason_to_refuse() -> None:
    run, shells = control_plane()
    by_hand = f"-A INPUT -d {VIP}/32 -p tcp -m tcp --dport 3306 -j DROP\n"
    shells[1].on("iptables -w -S INPUT", say=by_hand * 2)
    facts, _ = look(run)
    assert {host: len(rules) for host, rules in facts.by_hand.items()} == {"controller-1": 2}
