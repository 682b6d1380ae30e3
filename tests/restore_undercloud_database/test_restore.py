"""The dump is restored whole, on a real host, whatever happens on the way."""

from __future__ import annotations

import pytest

from tests.lab import undercloud
from tests.restore_undercloud_database.site import DUMP, UndercloudSite

# In the import; nothing moved; a database half made; loaded, with the dump's accounts; services starting.
POINTS = (
    "--kill-during 10.1",
    *(
        pytest.param(point, marks=pytest.mark.exhaustive)
        for point in ("--kill-after 2", "--kill-after 7", "--kill-after 10.2", "--kill-after 10a")
    ),
)


def assert_restored(site: UndercloudSite, before: tuple[str, str]) -> None:
    assert site.problems() == []
    assert site.marks() == {"before"}
    assert (site.objects(), site.checksums()) == before


@pytest.mark.releases
def test_the_dump_is_restored_whole_the_old_data_is_kept_and_the_same_runs_again(site: UndercloudSite) -> None:
    before, ran = (site.objects(), site.checksums()), site.running()
    assert undercloud.STRAY in ran[1]
    # What the dump has other than the site: root's password.
    site.exec(f"sed -E 's/{_hash(site)}/*0000000000000000000000000000000000000000/g' {DUMP} > /root/other-password.sql")
    ended = site.restore(dump="/root/other-password.sql")
    assert ended.code == 0, ended.output[-5000:]
    assert_restored(site, before)
    assert site.running() == ran
    (kept,) = site.saves()
    assert site.exec(f"test -d {kept}/keystone && stat -c %u:%g /var/lib/mysql") == "42434:42434"
    report = site.report()
    assert kept in report
    assert undercloud.ROOT_PASSWORD not in report + ended.output
    assert site.exec("podman images --format '{{.Repository}}' | grep -c localhost/mariadb || :") == "0"


def _hash(site: UndercloudSite) -> str:
    found = site.sql(f"SELECT PASSWORD('{undercloud.ROOT_PASSWORD}')").strip()
    return "\\" + found


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_started_again_it_reaches_the_same_end(site: UndercloudSite, point: str) -> None:
    before, ran = (site.objects(), site.checksums()), site.running()
    killed = site.restore(*point.split())
    assert killed.killed, killed.output[-3000:]
    ended = site.restore()
    assert ended.code == 0, ended.output[-5000:]
    assert_restored(site, before)
    assert site.running() == ran
    assert len(site.saves()) == 1


def test_an_undercloud_whose_database_is_broken_is_restored(site: UndercloudSite) -> None:
    before = (site.objects(), site.checksums())
    site.exec("systemctl stop tripleo_mysql; rm -rf /var/lib/mysql/ibdata1 /var/lib/mysql/mysql")
    ended = site.restore()
    assert ended.code == 0, ended.output[-5000:]
    assert_restored(site, before)
    assert "no database answers" in site.report()


def test_a_mount_point_keeps_its_old_data_as_a_verified_copy(site: UndercloudSite) -> None:
    before = (site.objects(), site.checksums())
    site.exec(
        "systemctl stop 'tripleo_*'; mv /var/lib/mysql /var/lib/of-mysql; mkdir /var/lib/mysql; "
        "mount --bind /var/lib/of-mysql /var/lib/mysql; systemctl start multi-user.target timers.target"
    )
    undercloud.wait_running(site.lab.machines)
    ended = site.restore()
    assert ended.code == 0, ended.output[-5000:]
    assert_restored(site, before)
    (kept,) = site.saves()
    assert site.exec(f"test -e {kept}/ibdata1; ls -d {kept}.part 2>/dev/null || :") == ""
    site.exec(
        "systemctl stop 'tripleo_*'; umount /var/lib/mysql; rmdir /var/lib/mysql; mv /var/lib/of-mysql /var/lib/mysql; "
        "systemctl start multi-user.target timers.target"
    )
    undercloud.wait_running(site.lab.machines)


def test_a_unit_that_does_not_come_back_is_told_and_the_next_run_goes_on(site: UndercloudSite) -> None:
    unit, before = "tripleo_heat_engine.service", (site.objects(), site.checksums())
    drop_in = f"/run/systemd/system/{unit}.d"
    # It stops as ever, and can't be started any more.
    site.exec(
        f"mkdir -p {drop_in}; printf '[Service]\\nExecStartPre=/bin/false\\n' > {drop_in}/broken.conf; systemctl daemon-reload"
    )
    failed = site.restore(services_timeout_s=60)
    assert failed.code == 1
    assert unit in failed.output
    assert "systemctl status" in failed.output
    assert "the services of undercloud are stopped" in site.report()
    site.exec(f"rm -r {drop_in}; systemctl daemon-reload")
    ended = site.restore()
    assert ended.code == 0, ended.output[-5000:]
    assert_restored(site, before)
