"""What preflight refuses, on real hosts: before the first change, and with the whole list.

One of each kind is part of `make test`; each has a unit test besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.lab import dumps
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud

HIERA = "/etc/puppet/hieradata"


@contextmanager
def changed(cloud: Cloud, host: str, do: str, undo: str) -> Iterator[None]:
    """Change something on a host for the time of a test."""
    cloud.lab.exec(host, do)
    try:
        yield
    finally:
        cloud.lab.exec(host, undo)


def assert_refused(cloud: Cloud, dump: Dump, *reasons: str) -> None:
    """It ends with all of these reasons, and nothing has changed: the databases are the same processes as before."""
    before = [cloud.status(host).get("wsrep_cluster_conf_id") for host in cloud.lab.controllers]
    ended = cloud.restore(dump)
    assert ended.code == 1, ended.output[-3000:]
    assert "refuses to begin; nothing was changed" in ended.output
    for reason in reasons:
        assert reason in ended.output, ended.output[-3000:]
    assert [cloud.status(host).get("wsrep_cluster_conf_id") for host in cloud.lab.controllers] == before
    assert cloud.problems() == []


@pytest.mark.exhaustive
def test_a_dump_or_grants_that_are_missing(cloud: Cloud) -> None:
    missing = Dump("/home/heat-admin/none.sql", "/home/heat-admin/no-grants.sql")
    assert_refused(cloud, missing, "none.sql does not exist", "no-grants.sql do not exist")


@pytest.mark.exhaustive
def test_a_dump_and_grants_that_are_empty(cloud: Cloud) -> None:
    cloud.lab.exec("controller-0", "cd /home/heat-admin; : > empty.sql; : > empty-grants.sql")
    empty = Dump("/home/heat-admin/empty.sql", "/home/heat-admin/empty-grants.sql")
    assert_refused(cloud, empty, "empty.sql is empty", "empty-grants.sql are empty")


def test_a_dump_and_grants_that_were_cut_short(cloud: Cloud, dump: Dump) -> None:
    cut = Dump("/home/heat-admin/cut.sql", "/home/heat-admin/cut-grants.sql")
    cloud.lab.exec(
        "controller-0", f"head -c 1000000 {dump.dump} > {cut.dump}; head -c 300 {dump.grants} > {cut.grants}"
    )
    assert_refused(cloud, cut, "cut.sql is cut short", "cut-grants.sql are cut short")


@pytest.mark.exhaustive
def test_a_dump_that_lies_in_the_data_directory(cloud: Cloud, dump: Dump) -> None:
    inside, link = "/var/lib/mysql/backup", "/home/heat-admin/link.sql"
    make = f"mkdir {inside}; cp {dump.dump} {inside}/dump.sql; ln -s {inside}/dump.sql {link}"
    with changed(cloud, "controller-0", make, f"rm -r {inside} {link}"):
        assert_refused(cloud, Dump(link, dump.grants), "its place is in /var/lib/mysql")
        mounted = "/home/heat-admin/mounted"
        mount = f"mkdir {mounted}; mount --bind {inside} {mounted}"
        with changed(cloud, "controller-0", mount, f"umount {mounted}; rmdir {mounted}"):
            assert_refused(cloud, Dump(f"{mounted}/dump.sql", dump.grants), "its place is in /var/lib/mysql")


@pytest.mark.exhaustive
def test_a_file_of_several_dumps_of_which_one_was_cut_short(cloud: Cloud, dump: Dump) -> None:
    several = Dump("/home/heat-admin/several.sql", dump.grants)
    cloud.lab.exec("controller-0", f"{{ head -c 1000000 {dump.dump}; cat {dump.dump}; }} > {several.dump}")
    assert_refused(cloud, several, "which is 2 dumps in one file", "is cut short")


@pytest.mark.exhaustive
def test_a_dump_that_is_compressed_and_grants_in_utf_16(cloud: Cloud, dump: Dump) -> None:
    packed = Dump("/home/heat-admin/dump.sql.gz", "/home/heat-admin/grants-utf16.sql")
    pack = f"gzip -1c {dump.dump} > {packed.dump}; iconv -f UTF-8 -t UTF-16 {dump.grants} > {packed.grants}"
    cloud.lab.exec("controller-0", pack)
    assert_refused(cloud, packed, "is compressed; unpack it with `gunzip`", "not in UTF-8 but in UTF-16")


@pytest.mark.exhaustive
def test_a_dump_of_the_whole_of_an_older_server_and_grants_with_headings(cloud: Cloud, dump: Dump) -> None:
    old = Dump("/home/heat-admin/old.sql", "/home/heat-admin/headings.sql")
    whole = dumps.whole_server(cloud.lab).dump
    cloud.lab.exec(
        "controller-0",
        f"sed -E 's/^(-- Server version\\s+)10\\.11/\\110.3/' {whole} > {old.dump};"
        f"{{ echo 'Grants for nova@%;'; cat {dump.grants}; }} > {old.grants}",
    )
    assert_refused(cloud, old, "holds the server's own tables (schema mysql) of MariaDB 10.3", "line 1 is no statement")


@pytest.mark.exhaustive
def test_a_dump_of_a_newer_server(cloud: Cloud, dump: Dump) -> None:
    newer = Dump("/home/heat-admin/newer.sql", dump.grants)
    cloud.lab.exec("controller-0", f"sed -E 's/^(-- Server version\\s+)10\\.11/\\111.4/' {dump.dump} > {newer.dump}")
    assert_refused(cloud, newer, "comes from MariaDB 11.4, newer than this server's 10.11")


@pytest.mark.exhaustive
def test_a_dump_for_which_there_is_no_room(cloud: Cloud, dump: Dump) -> None:
    huge = Dump("/home/heat-admin/huge.sql", dump.grants)
    make = f"head -c 4000 {dump.dump} > {huge.dump}; truncate -s 9T {huge.dump}; tail -c 300 {dump.dump} >> {huge.dump}"
    with changed(cloud, "controller-0", make, f"rm -f {huge.dump}"):
        assert_refused(cloud, huge, "controller-0:", "free beside the data directory", "controller-2:")


@pytest.mark.exhaustive
def test_an_address_and_a_password_that_hiera_does_not_know(cloud: Cloud, dump: Dump) -> None:
    with changed(
        cloud, "controller-0", f"mv {HIERA} {HIERA}.away; mkdir {HIERA}", f"rm -r {HIERA}; mv {HIERA}.away {HIERA}"
    ):
        assert_refused(
            cloud, dump, "hiera answers nil for mysql_vip", "hiera answers nil for mysql::server::root_password"
        )


@pytest.mark.exhaustive
def test_old_data_that_nobody_knows(cloud: Cloud, dump: Dump) -> None:
    with changed(cloud, "controller-1", "mkdir /var/lib/mysql-save", "rmdir /var/lib/mysql-save"):
        assert_refused(cloud, dump, "controller-1: /var/lib/mysql-save keeps data of an earlier restore")


def test_a_controller_that_is_down(cloud: Cloud, dump: Dump) -> None:
    with changed(cloud, "controller-2", "systemctl stop ssh.socket ssh.service", "systemctl start ssh.service"):
        assert_refused(cloud, dump, "controller-2: no SSH session")


def test_a_controller_with_another_host_key(cloud: Cloud, dump: Dump) -> None:
    key = "/etc/ssh/ssh_host_ed25519_key"
    change = (
        f"mkdir /root/k; mv {key} {key}.pub /root/k; ssh-keygen -q -t ed25519 -N '' -f {key}; systemctl restart ssh"
    )
    with changed(cloud, "controller-1", change, "mv -f /root/k/* /etc/ssh/; rmdir /root/k; systemctl restart ssh"):
        assert_refused(cloud, dump, "controller-1: the host key of 192.168.24.12 is not the pinned one")


@pytest.mark.exhaustive
def test_two_of_three_controllers(cloud: Cloud, dump: Dump, tmp_path: Path) -> None:
    """What somebody does who was refused over a dead controller."""
    inventory, site = tmp_path / "inventory.yaml", tmp_path / "two.toml"
    whole = yaml.safe_load(cloud.lab.inventory.read_text())
    for group in whole.values():
        (group.get("hosts") or {}).pop("controller-2", None)
    inventory.write_text(yaml.safe_dump(whole, sort_keys=False))
    text = cloud.lab.site.read_text().replace('name = "lab"', 'name = "two"')
    site.write_text(text.replace(str(cloud.lab.inventory), str(inventory)))
    cloud.server.run("-m", "deployments", "apply", "--site", str(site)).check_returncode()
    ended = cloud.restore(dump, site="two")
    assert ended.code == 1
    for reason in (
        "group mysql of the inventory has controller-0, controller-1, but",
        "wsrep_cluster_address also has controller-2.internalapi.localdomain",
        "galera-bundle has 3 replicas",
        "Pacemaker also has controller-2",
    ):
        assert reason in ended.output, ended.output[-3000:]
    assert cloud.problems() == []


STATES = {
    "node controller-1 is standby in Pacemaker": ("pcs node standby controller-1", "pcs node unstandby controller-1"),
    "node controller-2 is maintenance in Pacemaker": (
        "pcs node maintenance controller-2",
        "pcs node unmaintenance controller-2",
    ),
    "Pacemaker's property maintenance-mode is true": (
        "pcs property set maintenance-mode=true",
        "pcs property set maintenance-mode=false",
    ),
}


@pytest.mark.parametrize(
    "reason",
    [pytest.param(reason, marks=[] if "property" in reason else pytest.mark.exhaustive) for reason in STATES],
)
def test_a_pacemaker_that_could_not_take_the_database_back(cloud: Cloud, dump: Dump, reason: str) -> None:
    try:
        with changed(cloud, "controller-0", *STATES[reason]):
            ended = cloud.restore(dump)
            assert ended.code == 1
            assert "refuses to begin; nothing was changed" in ended.output
            assert reason in ended.output, ended.output[-3000:]
    finally:
        cloud.lab.wait_healthy(180)


def test_a_rule_that_keeps_clients_off_and_more(cloud: Cloud, dump: Dump) -> None:
    rule = "INPUT -p tcp --dport 3306 -j DROP"
    with changed(cloud, "controller-1", f"iptables -I {rule}", f"iptables -D {rule}"):
        ended = cloud.restore(dump)
    assert ended.code == 1
    assert "controller-1: a rule that is not this runbook's keeps clients off" in ended.output


@pytest.mark.exhaustive
def test_a_resource_and_containers_of_other_names(cloud: Cloud, dump: Dump, tmp_path: Path) -> None:
    site = tmp_path / "other.toml"
    text = cloud.lab.site.read_text().replace('name = "lab"', 'name = "other"')
    text = text.replace("[database]", '[database]\nresource = "mysql-bundle"')
    text = text.replace('container_pattern = "galera-bundle"', 'container_pattern = "mysql-bundle"')
    site.write_text(text)
    cloud.server.run("-m", "deployments", "apply", "--site", str(site)).check_returncode()
    ended = cloud.restore(dump, site="other")
    assert ended.code == 1
    assert "Pacemaker has no bundle 'mysql-bundle'; its bundles are galera-bundle, haproxy-bundle" in ended.output
    assert "controller-2: no container has 'mysql-bundle' in the name" in ended.output


@pytest.mark.exhaustive
def test_a_site_that_was_never_applied(cloud: Cloud, dump: Dump) -> None:
    ended = cloud.restore(dump, site="nowhere")
    assert ended.code == 1
    assert "knows no site 'nowhere'" in ended.output


def test_a_dry_run_with_a_dump_of_the_role_shows_what_it_lacks(cloud: Cloud) -> None:
    # What the tests before have done to Pacemaker may have cost a database, which comes back.
    cloud.lab.wait_healthy(180)
    ended = cloud.restore(dumps.as_role(cloud.lab), dry_run=True)
    assert ended.code == 0, ended.output[-3000:]
    for lost in (
        "not restored: the dump lacks 2 schemas of what controller-0's database has: "
        "capacity_views (2 views), legacy_billing (2 tables, hundreds of rows)",
        "the dump lacks 2 routines of what controller-0's database has: nova.archive_faults, nova.vcpus_of",
        "the dump lacks 1 event of what controller-0's database has: keystone.purge_revocations",
        "the grants lack what 1 role grants of what controller-0's database has: overcloud_reader",
    ):
        assert lost in ended.output, ended.output[-3000:]


@pytest.mark.exhaustive
def test_a_dry_run_with_a_whole_dump_lacks_nothing(cloud: Cloud, dump: Dump) -> None:
    ended = cloud.restore(dump, dry_run=True)
    assert ended.code == 0, ended.output[-3000:]
    assert "not restored" not in ended.output


@pytest.mark.parametrize("approved_by", [""])
def test_a_dry_run_shows_the_plan_and_changes_nothing(cloud: Cloud, dump: Dump, approved_by: str) -> None:
    ended = cloud.restore(dump, dry_run=True, approved_by=approved_by)
    assert ended.code == 0
    assert "6. Move the current directory" in ended.output
    assert cloud.lab.root_password not in ended.output
    assert cloud.problems() == []
    for host in cloud.lab.controllers:
        assert (
            cloud.lab.exec(
                host, "test -e /run/lock/openstack-runbooks.lock && cat /run/lock/openstack-runbooks.lock || :"
            ).stdout
            == ""
        )
