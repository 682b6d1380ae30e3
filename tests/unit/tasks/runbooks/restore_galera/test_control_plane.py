"""Who belongs to the cluster and in which state it is: compared, and refused where it differs."""

from __future__ import annotations

import pytest

from tasks.engine.run import Run
from tasks.runbooks.restore_galera.control_plane import check_bundle, check_cluster, check_nodes, check_places
from tests.unit.fakes import FakeClock
from tests.unit.tasks.control_plane import NODES, control_plane
from tests.unit.tasks.crm import Replica, in_cib, nodes, pacemaker_2_1, summary
from tests.unit.tasks.looking import look, refusal
from tests.unit.tasks.runbooks.restore_galera.memberships import CONTROLLERS, DATABASES, members, reasons, site
from tests.unit.tasks.samples import SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine")


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


# -- all of it in preflight


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
