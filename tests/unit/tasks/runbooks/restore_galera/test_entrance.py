"""Where clients come in: on the database's hosts, or where haproxy runs; those hosts are looked at, blocked, and no others."""

from __future__ import annotations

import pytest

from blocks.remote.errors import RunbookError, Unreachable
from blocks.site import Site
from tasks.engine.checks import Check
from tasks.node.firewall import Barriers
from tasks.runbooks.restore_galera.control_plane import ControlPlane
from tasks.runbooks.restore_galera.entrance import check_barriers, find_entrance
from tasks.runbooks.restore_galera.membership import KnownAs, Membership
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import BALANCERS, VIP, balanced, control_plane
from tests.unit.tasks.looking import changed_nothing, look, refusal
from tests.unit.tasks.runbooks.restore_galera.memberships import (
    CONTROLLERS,
    DATABASES,
    known,
    members,
    reasons,
    site,
)
from tests.unit.tasks.samples import SITE

pytestmark = pytest.mark.usefixtures("no_engine")
SEPARATE = {**dict.fromkeys(DATABASES, ("galera-role",)), **dict.fromkeys(CONTROLLERS, ("haproxy-role",))}
WITH_HAPROXY = site({"mysql": list(DATABASES), "haproxy": list(CONTROLLERS)}, (*DATABASES, *CONTROLLERS))


def entrance_of(where: Site, *others: KnownAs) -> tuple[tuple[str, ...], Check]:
    """The entrance of databases with a role of their own."""
    found = find_entrance(where, VIP, members(DATABASES, DATABASES, roles=SEPARATE, others=others))
    return found.further, found.check


def test_clients_are_kept_off_where_the_virtual_address_may_be() -> None:
    further, check = entrance_of(WITH_HAPROXY, *map(known, CONTROLLERS), known("compute-0"))
    assert further == CONTROLLERS
    assert check.ok


def test_a_host_is_the_node_whose_name_it_goes_by() -> None:
    others = [known(f"overcloud-{name}", f"{name}.localdomain", name) for name in CONTROLLERS]
    further, check = entrance_of(WITH_HAPROXY, *others)
    assert further == tuple(f"overcloud-{name}" for name in CONTROLLERS)
    assert check.ok


def test_where_it_is_on_the_controllers_these_are_all() -> None:
    found = find_entrance(SITE, VIP, members())
    assert (found.further, found.check.ok) == ((), True)


def test_a_holder_that_the_run_has_not_locked_is_refused_with_the_group_that_lacks_it() -> None:
    _, check = entrance_of(WITH_HAPROXY, *map(known, CONTROLLERS[:2]))
    assert check.reason == (
        f"{VIP} may be held by controller-2, where clients can't be kept off: no host of group mysql or haproxy of the "
        "inventory"
    )
    assert check.hint == (
        "list every host that can hold the virtual address in group haproxy of the inventory, and `apply` the site"
    )


def test_an_inventory_without_the_group_of_haproxy_is_told_what_it_lacks() -> None:
    _, check = entrance_of(site({"mysql": list(DATABASES)}, (*DATABASES, *CONTROLLERS)))
    assert (
        "controller-0, controller-1, controller-2, where clients can't be kept off: no host of group mysql of"
        in str(check)
    )
    assert "in group haproxy of the inventory" in check.hint


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


# -- in preflight


def test_the_hosts_of_haproxy_are_asked_for_their_names_and_rules_and_nothing_else() -> None:
    run, _, balancers = balanced()
    facts, _ = look(run)
    assert [host.name for host in facts.entrance] == [*CONTROLLERS, *BALANCERS]
    for balancer in balancers:
        assert len(balancer.ran) == len([*balancer.lines("hostname"), *balancer.lines("iptables")]) == 2
    changed_nothing(balancers)


def test_the_database_is_restored_on_the_hosts_of_its_role_alone() -> None:
    run, _, _ = balanced()
    facts, resume = look(run)
    assert sorted(facts.servers) == sorted(facts.checks) == list(CONTROLLERS)
    assert resume.settled == ()


@pytest.mark.parametrize("pacemaker", [True, False], ids=["Pacemaker answers", "Pacemaker does not"])
def test_a_host_of_haproxy_out_of_reach_is_refused_by_name(pacemaker: bool) -> None:
    run, shells, balancers = balanced()
    balancers[1].on("", say=Unreachable("balancer-1", "no SSH session"))
    if not pacemaker:
        shells[0].on("crm_mon --", "xml", say=RunbookError("Pacemaker does not answer"))
    told = refusal(run, [*shells, *balancers])
    assert told == ("balancer-1: no SSH session", *([] if pacemaker else ["Pacemaker does not answer"]))


def test_rules_that_stand_on_the_databases_hosts_alone_keep_no_client_off() -> None:
    barriers = dict.fromkeys(CONTROLLERS, Barriers(ours=True)) | dict.fromkeys(BALANCERS, Barriers())
    hosts = tuple(FakeShell(name) for name in (*CONTROLLERS, *BALANCERS))
    assert not ControlPlane([], hosts, barriers, managed=True).fenced


def test_rules_by_hand_are_no_reason_to_refuse() -> None:
    run, shells = control_plane()
    by_hand = f"-A INPUT -d {VIP}/32 -p tcp -m tcp --dport 3306 -j DROP\n"
    shells[1].on("iptables -w -S INPUT", say=by_hand * 2)
    facts, _ = look(run)
    assert {host: len(rules) for host, rules in facts.by_hand.items()} == {"controller-1": 2}
