"""What preflight refuses, on a real host: before anything is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.restore_undercloud_database.site import DUMP, UndercloudSite

OTHER = "/root/other.sql"


@pytest.fixture(autouse=True)
def no_other_dump(site: UndercloudSite) -> Iterator[None]:
    yield
    site.exec(f"rm -f {OTHER}")


def assert_refused(site: UndercloudSite, *reasons: str, dump: str = OTHER) -> None:
    ran = site.running()
    ended = site.restore(dump=dump)
    assert ended.code == 1, ended.output[-3000:]
    assert "refuses to begin; nothing was changed" in ended.output
    for reason in reasons:
        assert reason in ended.output, ended.output[-3000:]
    assert site.running() == ran
    assert site.saves() == []
    assert site.problems() == []


_SPOILT = [
    (f"head -c 100000 {DUMP}", "is cut short"),
    ("true", "is empty"),
    (f"gzip -1c {DUMP}", "is compressed"),
    (f"sed -E 's/^(-- Server version\\s+)[0-9]+\\.[0-9]+/\\110.2/' {DUMP}", "which this server's"),
    (f"sed -E 's/^INSERT INTO `(user|global_priv)`/INSERT INTO `servers`/' {DUMP}", "holds no accounts"),
]


@pytest.mark.parametrize(
    ("make", "says"), [_SPOILT[0], *(pytest.param(*each, marks=pytest.mark.exhaustive) for each in _SPOILT[1:])]
)
def test_a_dump_that_can_not_be_restored(site: UndercloudSite, make: str, says: str) -> None:
    site.exec(f"{make} > {OTHER}")
    assert_refused(site, says)


@pytest.mark.exhaustive
def test_a_dump_for_which_there_is_no_room(site: UndercloudSite) -> None:
    site.exec(f"head -c 4000 {DUMP} > {OTHER}; truncate -s 9T {OTHER}; tail -c 300 {DUMP} >> {OTHER}")
    assert_refused(site, "free beside the data directory")


def test_a_container_that_is_not_there(site: UndercloudSite) -> None:
    site.exec("podman rename mysql was-mysql 2>/dev/null || :")
    if "was-mysql" not in site.exec("podman ps --all --format '{{.Names}}'").split():
        pytest.skip("this podman can't rename")
    try:
        ended = site.restore()
        assert "there is no container mysql" in ended.output, ended.output[-3000:]
    finally:
        site.exec("podman rename was-mysql mysql")


@pytest.mark.exhaustive
def test_two_images_of_mariadb_are_no_matter(site: UndercloudSite) -> None:
    other = "undercloud.ctlplane.localdomain:8787/rh-osbs/rhosp16-openstack-mariadb:older"
    site.exec(f"tar -cf - --files-from /dev/null | podman import - {other}")
    ended = site.restore(dry_run=True)
    assert ended.code == 0, ended.output[-3000:]
    image = site.exec("podman inspect --type=container --format '{{.Image}}' mysql")
    assert image in ended.output
    site.exec(f"podman rmi {other}")


def test_what_the_dump_lacks_is_told(site: UndercloudSite) -> None:
    site.sql("CREATE DATABASE written_later")
    try:
        ended = site.restore(dry_run=True)
        assert "the dump lacks 1 schema of what undercloud's database has: written_later" in ended.output
    finally:
        site.sql("DROP DATABASE written_later")
