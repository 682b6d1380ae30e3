"""restore-undercloud-database from a backup on the lab's undercloud: whole, and killed on its way."""

from __future__ import annotations

import pytest

from tasks.backup.backup_set import SetName
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.runbooks.restore_undercloud_database.job import service_server
from tasks.runbooks.verify_backup.drill import contents_of
from tests.backups.backed_up import BackedUp
from tests.lab import undercloud
from tests.restore_galera.cloud import Ended
from tests.restore_galera.test_prefect import Watcher, secrets_of

_EVERYTHING = 2**40


@pytest.fixture(scope="module")
def name(backed_up: BackedUp) -> SetName:
    """A verified backup of the undercloud's database."""
    ended = backed_up.run("backup-undercloud", methods=["logical"])
    assert ended.code == 0, ended.output[-4000:]
    with backed_up.store() as store:
        return store.catalogue().sets[-1].name


def restore(backed_up: BackedUp, *kill: str) -> Ended:
    return backed_up.run("restore-undercloud-database", *kill, approved_by="a test")


def contents(backed_up: BackedUp) -> ServerContents:
    """All that the undercloud's server has."""
    site = backed_up.site
    shell = site.shell(site.named("undercloud"))
    try:
        return read_contents(shell, service_server(site.undercloud_database), _EVERYTHING, 600)
    finally:
        shell.close()


def assert_is(backed_up: BackedUp, name: SetName) -> None:
    with backed_up.store() as store:
        expected = contents_of(store.manifest(store.catalogue().find(str(name))), "undercloud")
    undercloud.wait_running(backed_up.lab.machines)
    assert compare(expected, contents(backed_up)).differences == ()
    left = "ls -d /var/lib/mysql/openstack-runbooks-* 2>/dev/null || :; podman ps --all --format '{{.Names}}' | grep runbooks || :"
    assert backed_up.lab.exec("undercloud", left).stdout == ""
    backed_up.lab.exec("undercloud", "rm -rf /var/lib/mysql-save-*")


def test_the_latest_verified_backup_comes_back(backed_up: BackedUp, name: SetName) -> None:
    undercloud.sql(backed_up.lab.machines, "DROP DATABASE keystone")
    with Watcher(secrets_of(backed_up.lab)) as watcher:
        ended = restore(backed_up)
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, name)
    assert watcher.found == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize("method", ["quickest", "documented"])
def test_of_a_backup_with_a_physical_copy_that_or_the_dump_comes_back(method: str, backed_up: BackedUp) -> None:
    ended = backed_up.run("backup-undercloud", methods=["logical", "physical"])
    assert ended.code == 0, ended.output[-4000:]
    with backed_up.store() as store:
        made = store.catalogue().sets[-1].name
    undercloud.sql(backed_up.lab.machines, "DROP DATABASE keystone")
    ended = backed_up.run("restore-undercloud-database", approved_by="a test", backup=str(made), method=method)
    assert ended.code == 0, ended.output[-4000:]
    assert (f"the {'physical' if method == 'quickest' else 'logical'} backup {made}") in ended.output
    assert_is(backed_up, made)


@pytest.mark.exhaustive
def test_killed_and_started_again_it_reaches_the_same_end(backed_up: BackedUp, name: SetName) -> None:
    ended = restore(backed_up, "--kill-during", "10.1")
    assert ended.killed, ended.output[-4000:]
    ended = restore(backed_up)
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, name)
