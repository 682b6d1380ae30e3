"""restore-galera from a backup on the lab: made beside the old data, put in its place, and all of it as the manifest says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.mariadb import Server
from tasks.node.podman import find_container, names
from tasks.runbooks.verify_backup.drill import contents_of
from tests.backups.backed_up import BackedUp, exhaustive
from tests.lab import Lab
from tests.restore_galera.cloud import Cloud, Ended
from tests.restore_galera.damages import all_databases_killed, data_of_one_wiped
from tests.restore_galera.test_prefect import Watcher, secrets_of

_EVERYTHING = 2**40
# What a restore can leave beside the data directory but the old data.
_LEFT = "ls -d /var/lib/mysql-new-* 2>/dev/null || :; podman ps --all --format '{{.Names}}' | grep runbooks || :"
# In the log of a node that has joined: the write sets that it lacked, or all of the data.
_IN_CONTAINER = "podman exec $(podman ps -q --filter name=galera-bundle)"
_HOW_JOINED = f"{_IN_CONTAINER} grep -cE 'IST received|Receiving IST' /var/log/mysql/mysql_cluster.log"


@pytest.fixture(scope="module")
def cloud(backed_up: BackedUp) -> Cloud:
    return Cloud(backed_up.lab, backed_up.server)


@pytest.fixture(scope="module")
def name(backed_up: BackedUp, cloud: Cloud) -> SetName:
    """A backup, verified, with a mark in it; rows written later must be gone after a restore."""
    cloud.write_mark("before")
    ended = backed_up.run("backup-control-plane")
    assert ended.code == 0, ended.output[-4000:]
    with backed_up.store() as store:
        return store.catalogue().sets[-1].name


@pytest.fixture(scope="module")
def dumped(backed_up: BackedUp, name: SetName) -> SetName:
    """A backup of the same without a physical copy: more is done to restore it."""
    ended = backed_up.run("backup-control-plane", methods=["logical"])
    assert ended.code == 0, ended.output[-4000:]
    with backed_up.store() as store:
        made = store.catalogue().sets[-1].name
    assert made != name
    return made


@pytest.fixture(autouse=True)
def _old_data_is_removed(backed_up: BackedUp) -> Iterator[None]:
    """Kept data of each test, and of suites before, would fill the machine."""
    _remove_old_data(backed_up)
    yield
    _remove_old_data(backed_up)


def _remove_old_data(backed_up: BackedUp) -> None:
    for host in backed_up.lab.controllers:
        backed_up.lab.exec(host, "rm -rf /var/lib/mysql-save-*")


def restore(backed_up: BackedUp, *kill: str, **parameters: object) -> Ended:
    return backed_up.run("restore-galera", *kill, approved_by="a test", **parameters)


def contents(backed_up: BackedUp, host: str) -> ServerContents:
    """All that a node has."""
    site = backed_up.site
    shell: Shell = site.shell(site.host(host))
    try:
        database = site.database
        container = find_container(shell, names(shell), database.container_pattern)
        server = Server(container, database.data_directory, database.client_options, "a-test")
        return read_contents(shell, server, _EVERYTHING, 600)
    finally:
        shell.close()


def assert_is(backed_up: BackedUp, cloud: Cloud, name: SetName, made: tuple[str, ...] = ()) -> None:
    """Every node holds what the manifest says, and nothing of the restore is left.

    Args:
        backed_up: The lab with its store.
        cloud: The cluster.
        name: What was restored.
        made: Schemas that the new data directory has besides.
    """
    with backed_up.store() as store:
        expected = contents_of(store.manifest(store.catalogue().find(str(name))), "overcloud")
    for host in backed_up.lab.controllers:
        differences = compare(expected, contents(backed_up, host)).differences
        assert [each.where for each in differences] == [f"schema {schema}" for schema in made], (host, differences)
        assert cloud.marks(host) == {"before"}, host
        assert backed_up.lab.exec(host, _LEFT).stdout == "", host
        kept = backed_up.lab.exec(host, "ls -d /var/lib/mysql-save-*").stdout.split()
        assert len(kept) == 1, host
    assert cloud.problems() == []


def joined_by_ist(lab: Lab) -> list[bool]:
    return [lab.exec(host, _HOW_JOINED, check=False).stdout.strip() not in {"", "0"} for host in lab.controllers[1:]]


@pytest.mark.releases
def test_the_latest_verified_backup_comes_back_without_a_state_transfer(
    backed_up: BackedUp, cloud: Cloud, name: SetName
) -> None:
    cloud.write_mark("after")
    cloud.lab.sql("controller-0", "DROP DATABASE heat")
    with Watcher(secrets_of(backed_up.lab)) as watcher:
        ended = restore(backed_up)
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, name)
    assert joined_by_ist(backed_up.lab) == [True, True]
    assert watcher.found == set()


@pytest.mark.releases
def test_a_dump_comes_back_without_a_state_transfer_too(backed_up: BackedUp, cloud: Cloud, dumped: SetName) -> None:
    cloud.write_mark("after")
    ended = restore(backed_up, backup=str(dumped))
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, dumped)
    assert joined_by_ist(backed_up.lab) == [True, True]


@pytest.mark.exhaustive
def test_a_backup_comes_back_in_the_documented_order(backed_up: BackedUp, cloud: Cloud, name: SetName) -> None:
    """Of a set with a copy, too, it is the dump that is loaded; killed in the middle of the import, it comes to the same end."""
    cloud.write_mark("after")
    ended = restore(backed_up, "--kill-during", "15", backup=str(name), method="documented")
    assert ended.killed, ended.output[-4000:]
    ended = restore(backed_up, backup=str(name), method="documented")
    assert ended.code == 0, ended.output[-4000:]
    # mysql_install_db has made it, in step 9.
    assert_is(backed_up, cloud, name, made=("test",))


def test_until_the_switch_clients_are_served(backed_up: BackedUp, cloud: Cloud, name: SetName) -> None:
    ended = restore(backed_up, "--kill-after", "N10", backup=str(name))
    assert ended.killed, ended.output[-4000:]
    backed_up.lab.wait_healthy()
    cloud.write_mark("after")
    assert cloud.marks("controller-2") == {"before", "after"}
    ended = restore(backed_up, backup=str(name))
    assert ended.code == 0, ended.output[-4000:]
    assert "has it already" in cloud.report()
    assert_is(backed_up, cloud, name)


@pytest.mark.exhaustive
@pytest.mark.parametrize("damage", [all_databases_killed, data_of_one_wiped])
def test_a_broken_cluster_comes_back_as_well(damage: object, backed_up: BackedUp, cloud: Cloud, name: SetName) -> None:
    damage(backed_up.lab)  # type: ignore[operator]
    ended = restore(backed_up, backup=name.stamp)
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, name)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "kill",
    [
        "--kill-during N5",
        "--kill-during N10",
        "--kill-during 7",
        *map(
            exhaustive,
            (
                *(
                    f"--kill-after {step}"
                    for step in ("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "2", "4", "4a", "5", "6")
                ),
                *(
                    f"--kill-after {step}"
                    for step in ("7", "8", "17", "20", "20a", "24", "25", "25a", "25d", "V1", "22")
                ),
            ),
        ),
    ],
)
def test_killed_and_started_again_it_reaches_the_same_end(
    kill: str, backed_up: BackedUp, cloud: Cloud, dumped: SetName
) -> None:
    ended = restore(backed_up, *kill.split(), backup=str(dumped))
    assert ended.killed, ended.output[-4000:]
    ended = restore(backed_up, backup=str(dumped))
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, dumped)


@pytest.mark.exhaustive
def test_a_store_that_goes_in_the_middle_harms_nobody(backed_up: BackedUp, cloud: Cloud, dumped: SetName) -> None:
    backed_up.apply(bandwidth_bytes_per_s="64K")
    try:
        process: subprocess.Popen[str] = backed_up.start("restore-galera", approved_by="a test", backup=str(dumped))
        started = "until ls /var/lib/mysql-new-*.part/overcloud.sql* 2>/dev/null; do sleep 0.2; done"
        backed_up.lab.exec("controller-0", f"timeout 120 bash -c '{started}'")
        backed_up.lab.exec("backup", "pkill -KILL -f '^sshd: heat-admin'; systemctl stop ssh")
        ended = backed_up.end(process)
    finally:
        backed_up.lab.exec("backup", "systemctl start ssh")
        backed_up.apply()
    assert ended.code == 1, ended.output[-4000:]
    backed_up.lab.wait_healthy()
    for host in backed_up.lab.controllers:
        assert backed_up.lab.exec(host, _LEFT).stdout == "", host
    ended = restore(backed_up, backup=str(dumped))
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, dumped)
