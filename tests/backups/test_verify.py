"""verify-backup on the lab's hosts: real podman, real systemd, another host than the store's; killed at each step."""

from __future__ import annotations

import pytest

from tasks.backup.backup_set import SetName
from tasks.backup.records import Verified
from tests.backups.backed_up import PATH, BackedUp, exhaustive
from tests.restore_galera.test_prefect import Watcher, secrets_of

HOSTS = ("backup", "undercloud", "controller-0", "controller-1", "controller-2")


@pytest.fixture(scope="module")
def name(backed_up: BackedUp) -> SetName:
    return backed_up.back_up()


def verifications(backed_up: BackedUp, name: SetName) -> list[Verified]:
    with backed_up.store() as store:
        records = store.catalogue().find(str(name)).records
    return [record for record in records if isinstance(record, Verified)]


def all_left(backed_up: BackedUp) -> dict[str, str]:
    return {host: left for host in HOSTS if (left := backed_up.left(host))}


def test_a_backup_is_verified_on_the_stores_host_and_leaves_nothing(backed_up: BackedUp, name: SetName) -> None:
    with Watcher(secrets_of(backed_up.lab)) as watcher:
        ended = backed_up.verify()
    assert ended.code == 0, ended.output[-4000:]
    record = verifications(backed_up, name)[-1]
    assert (record.differences, record.host) == ((), "backup-node")
    assert record.restore_seconds > 0
    assert all_left(backed_up) == {}
    assert watcher.found == set()


@pytest.mark.exhaustive
def test_a_backup_is_fetched_to_another_host(backed_up: BackedUp, name: SetName) -> None:
    backed_up.apply(drill_host="undercloud")
    try:
        ended = backed_up.verify()
    finally:
        backed_up.apply()
    assert ended.code == 0, ended.output[-4000:]
    assert verifications(backed_up, name)[-1].host == "undercloud"
    assert all_left(backed_up) == {}


@pytest.mark.parametrize(
    "kill",
    [
        "--kill-during 2",
        *map(exhaustive, ("--kill-after 3", "--kill-during 1", "--kill-after 1", "--kill-after 5")),
    ],
)
def test_killed_and_started_again_it_reaches_the_same_end(kill: str, backed_up: BackedUp, name: SetName) -> None:
    ended = backed_up.verify(*kill.split())
    assert ended.killed, ended.output[-4000:]
    before = len(verifications(backed_up, name))
    ended = backed_up.verify()
    assert ended.code == 0, ended.output[-4000:]
    assert [record.differences for record in verifications(backed_up, name)[before:]] == [()]
    assert all_left(backed_up) == {}


def test_a_flipped_bit_fails_the_run_and_is_on_record(backed_up: BackedUp) -> None:
    name = backed_up.back_up()
    dump = f"{PATH}/lab/{name}/overcloud.sql.gz"
    flip = "at=$(($(stat -c %s $1) / 2)); printf '\\x5a' | dd of=$1 bs=1 seek=$at conv=notrunc status=none"
    backed_up.lab.exec("backup", ["bash", "-c", flip, "flip", dump])
    ended = backed_up.verify()
    assert ended.code == 1
    assert "is not what its manifest says: overcloud: overcloud.sql.gz was changed" in ended.output
    assert verifications(backed_up, name)[-1].differences
    assert all_left(backed_up) == {}


def test_an_image_that_no_host_has_is_refused_with_the_remedy(backed_up: BackedUp) -> None:
    backed_up.back_up(image="0123456789abcdef")
    ended = backed_up.verify()
    assert ended.code == 1
    assert "has not the image 0123456789abcdef" in ended.output
    assert "podman load" in ended.output
