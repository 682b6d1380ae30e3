"""The cloud is what the runbooks' tests take it for."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blocks.site_file import read_site
from tasks.autoscaling.group.cpu_load import parse_report, start_load
from tasks.openstack.named import find_named
from tests.lab.shell import LabError, exclusive, wait_until
from tests.openstack import Cloud
from tests.openstack.cloud import LOCK
from tests.openstack.servers import Server, cpu, server, wait_for_page
from tests.openstack.settings import ADDRESS, ARCHIVE_POLICY, GRANULARITIES_SECONDS, POLLING_SECONDS

_BUSY_NS = POLLING_SECONDS * 1e9


@pytest.fixture(scope="module")
def web(cloud: Cloud, project: Any) -> Iterator[Server]:
    with server(cloud, project, "web") as made:
        yield made


def test_every_service_works(cloud: Cloud) -> None:
    assert cloud.missing() == ""


def test_a_stopped_service_is_missed_and_the_next_up_starts_it(cloud: Cloud) -> None:
    cloud.faults.on("metricd")
    assert "gnocchi-metricd" in cloud.missing()
    cloud.up()
    assert cloud.missing() == ""


def test_a_second_up_says_who_holds_the_cloud(cloud: Cloud) -> None:
    with exclusive(LOCK, "a test"), pytest.raises(LabError, match=r"held by process \d+, 'a test'"):
        cloud.up()


def test_the_site_file_can_be_read(cloud: Cloud) -> None:
    site = read_site(cloud.site)
    assert site.roles["Controller"] == ["controller-0"]
    assert site.hosts["controller-0"] == ADDRESS
    assert site.cloud is not None
    assert site.cloud.name == cloud.name


def test_heat_admin_reads_and_restarts_telemetry(cloud: Cloud) -> None:
    polling = yaml.safe_load(cloud.machine.ssh("sudo cat /etc/ceilometer/polling.yaml").stdout)
    assert polling["sources"][0]["interval"] == POLLING_SECONDS
    before = cloud.exec("systemctl show --property MainPID --value ceilometer-polling").stdout
    assert cloud.machine.ssh("sudo systemctl restart ceilometer-polling").returncode == 0
    assert cloud.exec("systemctl show --property MainPID --value ceilometer-polling").stdout != before


def test_the_archive_policy_has_rates(project: Any) -> None:
    gnocchi = project.session.get_endpoint(service_type="metric")
    policy = project.session.get(f"{gnocchi}/v1/archive_policy/{ARCHIVE_POLICY}").json()
    assert "rate:mean" in policy["aggregation_methods"]
    assert len(policy["definition"]) == len(GRANULARITIES_SECONDS)


def test_a_server_serves_the_page_that_its_user_data_made(web: Server) -> None:
    assert wait_for_page(f"http://{web.address}/hostname.php") == "Hello, My name is web"


def test_a_server_lets_its_key_in_and_has_the_vcpus_of_its_flavor(web: Server, tmp_path: Path) -> None:
    result = web.ssh("hostname; nproc; sudo -n id -u", tmp_path)
    assert result.stdout == "web\n1\n0\n", result.stderr


def test_a_server_has_a_user_who_has_no_more_than_a_cirros(web: Server, tmp_path: Path) -> None:
    result = web.ssh("hostname; sudo -n id -u; which timeout bash || which tr", tmp_path, user="cirros")
    assert result.stdout == "web\n0\n/usr/local/lib/cirros/tr\n", result.stderr


def test_ceilometer_sees_one_busy_vcpu_as_all_of_it(web: Server, project: Any, tmp_path: Path) -> None:
    load = "timeout 60 dd if=/dev/zero of=/dev/null > /dev/null 2>&1 < /dev/null &"
    assert web.ssh(load, tmp_path).returncode == 0
    granularity = GRANULARITIES_SECONDS[0]

    def look() -> str:
        seen = [value / _BUSY_NS for _, value in cpu(project, web.id, granularity)]
        return "" if any(0.9 < value < 1.1 for value in seen) else f"CPU {seen}"

    wait_until("no full load was seen", look, timeout=60, interval=1)
    web.ssh("pkill dd", tmp_path)


def test_a_load_that_nobody_ends_ends_by_itself(web: Server, tmp_path: Path) -> None:
    started = web.ssh(shlex.join(start_load(1, 4).words), tmp_path)
    assert parse_report("web", started.stdout).running == 1

    def left() -> str:
        return web.ssh("pgrep --exact dd", tmp_path).stdout

    wait_until("the load went on", left, timeout=15)


def test_a_server_that_cannot_be_reached(cloud: Cloud, web: Server, tmp_path: Path) -> None:
    with cloud.faults.during("ssh"):
        assert "timed out" in web.ssh("true", tmp_path).stderr
    assert web.ssh("true", tmp_path).returncode == 0


def test_a_server_that_cannot_boot(cloud: Cloud, project: Any) -> None:
    with (
        cloud.faults.during("boot"),
        pytest.raises(Exception, match="ERROR"),
        server(cloud, project, "never"),
    ):
        pass
    assert find_named(project.compute.find_server, "never") is None
