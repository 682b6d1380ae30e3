"""From every broken state to a whole cluster that holds the dump, on real hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.lab import Lab, dumps
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud
from tests.restore_galera.damages import (
    KILL,
    Damage,
    all_databases_killed,
    all_databases_stopped,
    data_of_one_wiped,
    grastate_gone_on_all,
    grastate_gone_on_one,
    one_lost_power,
)


def assert_holds_the_dump(cloud: Cloud, checksums: str) -> None:
    """Every node holds the dump and nothing else."""
    for host in cloud.lab.controllers:
        assert cloud.marks(host) == {"before"}
        assert _without_marks(cloud.checksums(host)) == _without_marks(checksums)


def _without_marks(checksums: str) -> list[str]:
    return [line for line in checksums.splitlines() if not line.startswith("keystone.mark\t")]


@dataclass
class Dropped:
    """A restore after somebody has dropped databases.

    Attributes:
        before: Kind → objects of the databases, before these were dropped.
        accounts: Those of before, but for root and the anonymous ones.
        after: Kind → objects after the restore.
        accounts_after: Accounts after it.
        report: Its report.
    """

    before: dict[str, set[str]]
    accounts: set[str]
    after: dict[str, set[str]]
    accounts_after: set[str]
    report: str


@pytest.fixture(scope="module")
def dropped(cloud: Cloud, dump: Dump) -> Dropped:
    kinds = ("schemas", "routines", "events", "views", "triggers")
    before = {kind: cloud.objects(kind) for kind in kinds}
    accounts = {account for account in cloud.objects("accounts") if not account.startswith(("root@", "@"))}
    for schema in ("keystone", "nova", "heat"):
        cloud.lab.sql("controller-0", f"DROP DATABASE {schema}")
    report = restored(cloud, dump)
    after = {kind: cloud.objects(kind) for kind in kinds}
    return Dropped(before, accounts, after, cloud.objects("accounts"), report)


def restored(cloud: Cloud, dump: Dump, ending: str = "adopt") -> str:
    """Restore, and return the report of a cluster that is whole."""
    ended = cloud.restore(dump, ending=ending)
    assert ended.code == 0, ended.output[-4000:]
    assert cloud.problems() == []
    return cloud.report()


@pytest.mark.releases
def test_routines_events_views_triggers_accounts_and_roles_come_back(cloud: Cloud, dropped: Dropped) -> None:
    assert all(dropped.before.values())
    at_fqdn = [account for account in dropped.accounts if "." in account.split("@")[1] and "%" not in account]
    assert at_fqdn, "no account at an FQDN"
    assert dropped.after == {**dropped.before, "schemas": dropped.before["schemas"] | {"test"}}
    assert dropped.accounts <= dropped.accounts_after
    assert "overcloud_reader" in cloud.lab.sql("controller-1", "SHOW GRANTS FOR monitoring@'%'")


def test_twice_in_a_row_it_does_the_same_again_and_says_so(cloud: Cloud, dump: Dump, dropped: Dropped) -> None:
    steps = []
    again = restored(cloud, dump)
    for report in (dropped.report, again):
        told = re.findall(r"^\| (\S+) \| .* \| ((?:controller-\d(?:, )?)*) ?\| (\w+)", report, re.MULTILINE)
        assert {outcome for number, _, outcome in told if number == "24a"} <= {"done", "already"}
        # Step 24a has something to do only where Pacemaker's look of once a minute fell into the outage.
        steps.append([(number, hosts, outcome) for number, hosts, outcome in told if number != "24a"])
    assert len(steps[0]) > 35
    assert any(hosts == ", ".join(cloud.lab.controllers) for _, hosts, _ in steps[0]), "hosts of one step share a row"
    assert steps[0] == steps[1]
    kept = re.search(r"/var/lib/mysql-save-\d{8}T\d{6}Z", again)
    assert kept
    for host in cloud.lab.controllers:
        assert cloud.lab.exec(host, f"test -d {kept[0]}/mysql", check=False).returncode == 0
    assert "approved by a test" in again
    assert "Departures from the document" in again


def test_grants_that_hold_root_with_an_older_password_leave_the_sites_one(cloud: Cloud, dump: Dump) -> None:
    """The dump and the grants are both called alike, besides, in two folders."""
    alike = Dump("/home/heat-admin/dumps/mysql.sql", "/home/heat-admin/grants/mysql.sql")
    old = "IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B' WITH GRANT OPTION;"
    roots = "".join(f"GRANT ALL PRIVILEGES ON *.* TO `root`@`{host}` {old}\n" for host in ("localhost", "%"))
    cloud.lab.exec("controller-0", f"mkdir -p $(dirname {alike.dump}) $(dirname {alike.grants})")
    cloud.lab.exec("controller-0", f"cp {dump.dump} {alike.dump}; cat {dump.grants} - > {alike.grants}", input=roots)
    ended = cloud.restore(alike)
    assert ended.code == 0, ended.output[-4000:]
    assert cloud.problems() == []
    assert cloud.marks("controller-1") == {"before"}
    assert "not as the grants say" not in ended.output
    assert cloud.log_in("root", cloud.lab.root_password) == "root@%"


def test_pacemaker_heals_the_cluster_that_it_adopted(cloud: Cloud, dropped: Dropped) -> None:
    cloud.lab.exec("controller-1", KILL)
    cloud.lab.wait_healthy(120)
    assert cloud.problems() == []


@pytest.mark.releases
def test_ends_as_documented_with_a_restart(cloud: Cloud, dump: Dump) -> None:
    cloud.write_mark("after-restart")
    checksums = cloud.checksums("controller-0")
    report = restored(cloud, dump, ending="restart")
    assert_holds_the_dump(cloud, checksums)
    for step in ("21", "23", "25"):
        assert re.search(rf"^\| {step} \| .* \| done", report, re.MULTILINE), f"step {step} was not taken"


@pytest.mark.parametrize(
    "damage",
    [pytest.param(all_databases_stopped, marks=(pytest.mark.releases, pytest.mark.exhaustive)), one_lost_power],
)
def test_restores_from(cloud: Cloud, dump: Dump, damage: Damage) -> None:
    restore_after(cloud, damage, dump)


@pytest.mark.parametrize(
    ("take", "damage"),
    [
        pytest.param(dumps.documented, grastate_gone_on_one, marks=pytest.mark.releases),
        pytest.param(dumps.as_role, grastate_gone_on_all, marks=pytest.mark.exhaustive),
        pytest.param(dumps.whole_server, data_of_one_wiped, marks=pytest.mark.exhaustive),
    ],
)
def test_a_dump_of_each_kind_brings_back_what_it_holds(
    cloud: Cloud, dump: Dump, take: Callable[[Lab], Dump], damage: Damage
) -> None:
    output = restore_after(cloud, damage, take(cloud.lab))
    assert {"keystone@%", "nova@192.168.24.%", "clustercheck@localhost"} <= cloud.objects("accounts")
    assert cloud.log_in("keystone", cloud.lab.passwords["keystone"]) == "keystone@%"
    assert ("in the part of the dump that begins at byte" in output) is (take is not dumps.whole_server)
    if take is not dumps.whole_server:
        assert "role overcloud_reader is granted" in output


def restore_after(cloud: Cloud, damage: Damage, dump: Dump) -> str:
    """Write what the dump does not hold, damage the cluster, restore it; returns what the run wrote."""
    checksums = cloud.checksums("controller-0")
    cloud.write_mark(f"after-{damage.__name__}")
    damage(cloud.lab)
    ended = cloud.restore(dump)
    assert ended.code == 0, ended.output[-4000:]
    assert cloud.problems() == []
    assert_holds_the_dump(cloud, checksums)
    assert cloud.adopted() == set(cloud.lab.controllers)
    return ended.output


# What Pacemaker is doing when it is stopped depends on how long ago it noticed.
@pytest.mark.parametrize(("noticed_s", "rules"), [(0, 2), pytest.param(8, 0, marks=pytest.mark.exhaustive)])
def test_pacemaker_that_lost_every_database_is_not_waited_for_to_the_bound_and_rules_set_by_hand_go(
    cloud: Cloud, dump: Dump, noticed_s: float, rules: int
) -> None:
    rule = f"INPUT -p tcp --destination-port 3306 -d {cloud.lab.vip} -j DROP"
    holder = next(host for host in cloud.lab.controllers if cloud.holds_vip(host))
    all_databases_killed(cloud.lab)
    cloud.wait_noticed(noticed_s)
    cloud.lab.exec(holder, f"for _ in $(seq {rules}); do iptables -I {rule}; done")
    try:
        ended = cloud.restore(dump)
    finally:
        left = cloud.lab.exec(
            holder, f"n=0; while iptables -D {rule} 2>/dev/null; do n=$((n + 1)); done; echo $n"
        ).stdout
    assert ended.code == 0, ended.output[-4000:]
    assert left.strip() == "0", "the document's rule, set by hand, keeps clients off"
    assert (f"{holder}: 2 firewall rule(s) that somebody has set by hand" in ended.output) is (rules == 2)
    assert cloud.problems() == []
    taken = re.findall(r"^\| 4a? \| .* \| (?:done|already) \| ([\d.]+)", cloud.report(), re.MULTILINE)
    assert len(taken) == 2
    assert sum(map(float, taken)) < 60, "the bound is 130"
