"""The nightly backups on the lab's hosts: from a node that serves no client, whole or absent whatever is killed, full or cut."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tasks.backup.manifest import Manifest
from tests.backups.backed_up import PATH, BackedUp, exhaustive
from tests.lab.settings import CONTROLLERS
from tests.restore_galera.test_prefect import Watcher, secrets_of
from tests.server.fixtures import wait_until

NAME = "backup-control-plane"
# What a backup can leave on a host: what was in the server, halves of documented files, units, a node that is desynced.
_LEFT = """
ls /var/lib/mysql/openstack-runbooks-* /root/*.new 2>/dev/null || :
systemctl list-units --all --plain --no-legend 'openstack-runbooks-backup*' || :
"""
# Of what breaks, a dump says as much as a dump and a copy.
_DUMP_ALONE = {"methods": ["logical"]}
# Slow enough to be met in the middle of its dump.
_SLOW = "64K"


def sets(backed_up: BackedUp) -> list[str]:
    """What is whole on the store; nothing else must look like it."""
    with backed_up.store() as store:
        catalogue = store.catalogue()
    assert (catalogue.problems, catalogue.unlisted) == ((), ())
    assert [stored.problem for stored in catalogue.sets if stored.problem] == []
    return [str(stored.name) for stored in catalogue.sets]


def manifest(backed_up: BackedUp) -> Manifest:
    with backed_up.store() as store:
        stored = store.catalogue().sets[-1]
        assert store.check_files(stored.name, store.manifest(stored), sums=True) == []
        return store.manifest(stored)


def desynced(backed_up: BackedUp) -> list[str]:
    ask = "SELECT @@GLOBAL.wsrep_desync"
    return [name for name in CONTROLLERS if backed_up.lab.sql(name, ask).strip() != "0"]


def assert_in_sync(backed_up: BackedUp) -> None:
    wait_until("every node is in flow control again", lambda: not desynced(backed_up), 200)
    backed_up.lab.wait_healthy()
    assert {name: left for name in CONTROLLERS if (left := backed_up.lab.exec(name, _LEFT).stdout)} == {}


def assert_next_works(backed_up: BackedUp, old: list[str]) -> None:
    backed_up.apply()
    ended = backed_up.run(NAME, **_DUMP_ALONE)
    assert ended.code == 0, ended.output[-4000:]
    assert sets(backed_up)[:-1] == old
    assert_in_sync(backed_up)


def partial(backed_up: BackedUp, path: str = PATH) -> str:
    """The file of a dump that has begun to arrive."""
    find = f"find {path}/lab -name '.overcloud.sql.*.new' -size +0 | head -n 1"
    return backed_up.lab.exec("backup", find).stdout.strip()


def in_the_middle(backed_up: BackedUp, break_it: Callable[[], object]) -> str:
    """Break something while a dump is on its way; returns what the run said."""
    backed_up.apply(bandwidth_bytes_per_s=_SLOW)
    process = backed_up.start(NAME, **_DUMP_ALONE)
    try:
        wait_until("the dump is on its way", lambda: bool(partial(backed_up)), 120)
        break_it()
    finally:
        ended = backed_up.end(process)
    assert ended.code == 1, ended.output[-4000:]
    return ended.output


def test_a_backup_is_taken_from_a_node_without_clients_and_verified(backed_up: BackedUp) -> None:
    with Watcher(secrets_of(backed_up.lab)) as watcher:
        ended = backed_up.run(NAME, documented_file=True)
    assert ended.code == 0, ended.output[-4000:]
    found = manifest(backed_up)
    assert [file.role for file in found.files] == ["logical dump", "grants", "physical copy"]
    assert found.databases[0].galera is not None
    with backed_up.store() as store:
        assert store.catalogue().sets[-1].verified == found.kinds
    (host,) = found.hosts
    documented = backed_up.lab.exec(host, "tail -n 1 /root/openstack-backup-mysql.sql; ls /root").stdout
    assert "-- Dump completed" in documented
    assert "openstack-backup-mysql-grants.sql" in documented
    assert_in_sync(backed_up)
    assert watcher.found == set()


@pytest.mark.exhaustive
def test_twice_makes_two_sets(backed_up: BackedUp) -> None:
    assert_next_works(backed_up, sets(backed_up))


@pytest.mark.parametrize(
    "kill",
    [
        "--kill-during 3",
        *map(
            exhaustive, ("--kill-after 3c", "--kill-after 3a", "--kill-after 3b", "--kill-after 3", "--kill-after 3f")
        ),
    ],
)
def test_killed_it_leaves_no_set_and_the_hosts_undo_it_by_themselves(kill: str, backed_up: BackedUp) -> None:
    old = sets(backed_up)
    backed_up.apply(cleanup_after_s=120)
    ended = backed_up.run(NAME, *kill.split(), **_DUMP_ALONE)
    assert ended.killed, ended.output[-4000:]
    assert sets(backed_up) == old
    assert_in_sync(backed_up)
    assert_next_works(backed_up, old)


@pytest.mark.exhaustive
def test_killed_as_it_is_sealed_the_set_is_whole(backed_up: BackedUp) -> None:
    old = sets(backed_up)
    ended = backed_up.run(NAME, "--kill-after", "3g", **_DUMP_ALONE)
    assert ended.killed, ended.output[-4000:]
    assert len(sets(backed_up)) == len(old) + 1
    assert_next_works(backed_up, sets(backed_up))


def test_a_store_that_fills_up_in_the_middle(backed_up: BackedUp) -> None:
    old = sets(backed_up)
    full = "/srv/full"
    mount = f"install -d {full} && mount -t tmpfs -o size=48m tmpfs {full} && cp -a {PATH}/. {full}"
    backed_up.lab.exec("backup", mount)
    try:
        backed_up.apply(path=full, bandwidth_bytes_per_s=_SLOW)
        process = backed_up.start(NAME, **_DUMP_ALONE)
        wait_until("the dump is on its way", lambda: bool(partial(backed_up, full)), 120)
        backed_up.lab.exec("backup", f"cat /dev/zero >{full}/all-there-is", check=False)
        ended = backed_up.end(process)
        assert ended.code == 1, ended.output[-4000:]
        assert "No space left on device" in ended.output
        assert sets(backed_up) == old
        assert_in_sync(backed_up)
        backed_up.lab.exec("backup", f"rm {full}/all-there-is")
        ended = backed_up.run(NAME, **_DUMP_ALONE)
        assert ended.code == 0, ended.output[-4000:]
        assert len(sets(backed_up)) == len(old) + 1
    finally:
        backed_up.lab.exec("backup", f"umount {full}")
        backed_up.apply()


@pytest.mark.parametrize("host", ["backup", exhaustive("node")])
def test_an_ssh_connection_that_is_cut(host: str, backed_up: BackedUp) -> None:
    old = sets(backed_up)

    def cut() -> None:
        where = host if host == "backup" else dumped(backed_up)
        backed_up.lab.exec(where, "pkill -KILL -f '^sshd: heat-admin'")
        backed_up.lab.exec(where, "systemctl stop ssh")

    def mend() -> None:
        for name in ("backup", *CONTROLLERS):
            backed_up.lab.exec(name, "systemctl start ssh")

    try:
        said = in_the_middle(backed_up, cut)
    finally:
        mend()
    assert "step 3 (Create a database backup) failed" in said or "lock" in said
    assert sets(backed_up) == old
    assert_in_sync(backed_up)
    assert_next_works(backed_up, old)


def dumped(backed_up: BackedUp) -> str:
    """The controller whose node is desynced."""
    (name,) = desynced(backed_up)
    return name


@pytest.mark.exhaustive
def test_a_node_that_is_killed_while_it_is_dumped(backed_up: BackedUp) -> None:
    old = sets(backed_up)
    killed: list[str] = []

    def kill() -> None:
        killed.append(dumped(backed_up))
        backed_up.lab.kill(killed[0])

    try:
        in_the_middle(backed_up, kill)
    finally:
        for name in killed:
            backed_up.lab.start(name)
    assert sets(backed_up) == old
    assert_in_sync(backed_up)
    assert_next_works(backed_up, old)


@pytest.mark.exhaustive
def test_two_at_once_run_one_after_the_other(backed_up: BackedUp) -> None:
    old = sets(backed_up)
    processes: list[subprocess.Popen[str]] = [backed_up.start(NAME, **_DUMP_ALONE) for _ in range(2)]
    ended = [backed_up.end(process) for process in processes]
    assert [each.code for each in ended] == [0, 0], ended
    assert sum("waiting: " in each.output for each in ended) == 1
    assert len(sets(backed_up)) == len(old) + 2


@pytest.mark.exhaustive
def test_one_that_may_not_wait_is_refused(backed_up: BackedUp) -> None:
    backed_up.apply(bandwidth_bytes_per_s=_SLOW)
    process = backed_up.start(NAME, **_DUMP_ALONE)
    try:
        wait_until("the dump is on its way", lambda: bool(partial(backed_up)), 120)
        second = backed_up.run(NAME, wait_s=0, **_DUMP_ALONE)
    finally:
        first = backed_up.end(process)
        backed_up.apply()
    assert first.code == 0, first.output[-4000:]
    assert second.code == 1
    assert "another runbook holds the lock of site lab" in second.output


@pytest.mark.exhaustive
def test_the_undercloud_s_database_is_backed_up(backed_up: BackedUp) -> None:
    if backed_up.lab.exec("undercloud", "podman inspect --type=container mysql", check=False).returncode:
        pytest.skip("the lab's undercloud has no database")
    ended = backed_up.run("backup-undercloud", documented_file=True)
    assert ended.code == 0, ended.output[-4000:]
    found = manifest(backed_up)
    assert (found.runbook, found.databases[0].name) == ("backup-undercloud", "undercloud")
    last = backed_up.lab.exec("undercloud", "tail -n 1 /root/undercloud-all-databases.sql").stdout
    assert last.startswith("-- Dump completed")
