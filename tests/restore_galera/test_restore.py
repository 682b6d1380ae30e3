"""From every broken state to a whole cluster that holds the dump, on real hosts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.lab import Lab, dumps
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud

Damage = Callable[[Lab], None]
_KILL = "pkill -9 -x 'mysqld_safe|mariadbd-safe'; pkill -9 -x 'mysqld|mariadbd'"


def all_databases_stopped(lab: Lab) -> None:
    lab.exec("controller-0", "pcs resource unmanage galera-bundle")
    for host in lab.controllers:
        lab.exec(host, "podman exec $(podman ps -q --filter name=galera-bundle) mysqladmin shutdown")


def grastate_gone_on_one(lab: Lab) -> None:
    lab.exec("controller-1", "rm /var/lib/mysql/grastate.dat")


def grastate_gone_on_all(lab: Lab) -> None:
    all_databases_stopped(lab)
    for host in lab.controllers:
        lab.exec(host, "rm /var/lib/mysql/grastate.dat")


def data_of_one_wiped(lab: Lab) -> None:
    lab.exec("controller-2", f"{_KILL}; find /var/lib/mysql -mindepth 1 -delete")


def one_lost_power(lab: Lab) -> None:
    lab.kill("controller-1")
    lab.start("controller-1")


def assert_restored(cloud: Cloud, checksums: str) -> None:
    """The cluster is whole, and every node holds the dump and nothing else."""
    assert cloud.problems() == []
    for host in cloud.lab.controllers:
        assert cloud.marks(host) == {"before"}
        assert _without_marks(cloud.checksums(host)) == _without_marks(checksums)


def _without_marks(checksums: str) -> list[str]:
    return [line for line in checksums.splitlines() if not line.startswith("keystone.mark\t")]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(all_databases_stopped, marks=pytest.mark.releases),
        grastate_gone_on_one,
        grastate_gone_on_all,
        data_of_one_wiped,
        one_lost_power,
    ],
)
def test_restores_from(cloud: Cloud, dump: Dump, damage: Damage) -> None:
    cloud.write_mark(f"after-{damage.__name__}")
    checksums = cloud.checksums("controller-0")
    damage(cloud.lab)
    ended = cloud.restore(dump)
    assert ended.code == 0, ended.output[-4000:]
    assert_restored(cloud, checksums)
    assert cloud.adopted() == set(cloud.lab.controllers)


@pytest.mark.releases
def test_routines_events_views_triggers_accounts_and_roles_come_back(cloud: Cloud, dump: Dump) -> None:
    kinds = ("schemas", "routines", "events", "views", "triggers")
    before = {kind: cloud.objects(kind) for kind in kinds}
    accounts = {account for account in cloud.objects("accounts") if not account.startswith(("root@", "@"))}
    assert all(before.values())
    assert any("." in account.split("@")[1] and "%" not in account for account in accounts), "no account at an FQDN"
    for schema in ("keystone", "nova", "heat"):
        cloud.lab.sql("controller-0", f"DROP DATABASE {schema}")
    ended = cloud.restore(dump)
    assert ended.code == 0, ended.output[-4000:]
    assert {kind: cloud.objects(kind) for kind in kinds} == {**before, "schemas": before["schemas"] | {"test"}}
    assert accounts <= cloud.objects("accounts")
    assert "overcloud_reader" in cloud.lab.sql("controller-1", "SHOW GRANTS FOR monitoring@'%'")


def test_twice_in_a_row_it_does_the_same_again_and_says_so(cloud: Cloud, dump: Dump) -> None:
    steps = []
    for _ in range(2):
        assert cloud.restore(dump).code == 0
        assert cloud.problems() == []
        report = cloud.report()
        told = re.findall(r"^\| (\S+) \| .* \| (controller-\d)? ?\| (\w+)", report, re.MULTILINE)
        assert {outcome for number, _, outcome in told if number == "24a"} <= {"done", "already"}
        # Step 24a has something to do only where Pacemaker's look of once a minute fell into the outage.
        steps.append([(number, host, outcome if number != "24a" else "") for number, host, outcome in told])
    assert len(steps[0]) > 60
    assert steps[0] == steps[1]
    kept = re.search(r"/var/lib/mysql-save-\d{8}T\d{6}Z", report)
    assert kept
    for host in cloud.lab.controllers:
        assert cloud.lab.exec(host, f"test -d {kept[0]}/mysql", check=False).returncode == 0
    assert "approved by a test" in report
    assert "Departures from the document" in report


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


def test_pacemaker_heals_the_cluster_that_it_adopted(cloud: Cloud) -> None:
    """An earlier run left it adopted."""
    cloud.lab.exec("controller-1", _KILL)
    cloud.lab.wait_healthy(120)
    assert cloud.problems() == []


@pytest.mark.releases
def test_ends_as_documented_with_a_restart(cloud: Cloud, dump: Dump) -> None:
    cloud.write_mark("after-restart")
    checksums = cloud.checksums("controller-0")
    ended = cloud.restore(dump, ending="restart")
    assert ended.code == 0, ended.output[-4000:]
    assert_restored(cloud, checksums)
    report = cloud.report()
    for step in ("21", "23", "25"):
        assert re.search(rf"^\| {step} \| .* \| done", report, re.MULTILINE), f"step {step} was not taken"


@pytest.mark.parametrize(
    "take", [pytest.param(dumps.documented, marks=pytest.mark.releases), dumps.as_role, dumps.whole_server]
)
def test_a_dump_of_each_kind_brings_back_what_it_holds(cloud: Cloud, dump: Dump, take: Callable[[Lab], Dump]) -> None:
    held = take(cloud.lab)
    checksums = cloud.checksums("controller-0")
    cloud.write_mark("after-dump")
    ended = cloud.restore(held)
    assert ended.code == 0, ended.output[-4000:]
    assert_restored(cloud, checksums)
    assert {"keystone@%", "nova@192.168.24.%", "clustercheck@localhost"} <= cloud.objects("accounts")
    assert cloud.log_in("keystone", cloud.lab.passwords["keystone"]) == "keystone@%"
    assert ("in the part of the dump that begins at byte" in ended.output) is (take is not dumps.whole_server)
    if take is not dumps.whole_server:
        assert "role overcloud_reader is granted" in ended.output
