"""backup-control-plane with images, and resume-control-plane, on the lab: real containers, a real cluster, a real ReaR."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.benchmarks.client import client_at_the_vip
from tests.lab.settings import CONTROLLERS
from tests.rear import services
from tests.rear.imaged import STORE, Imaged
from tests.server.fixtures import wait_until

NAME = "backup-control-plane"
_ASKED = {"images": True, "methods": ["logical"], "image_timeout_s": 900}
# The shortest that a site may have.
_LIMIT_S = 120
# While a node leaves, its share of the virtual addresses moves. What would be missed is a cluster that is stopped: for minutes.
_SERVED_WITHIN_S = 20


@pytest.fixture(scope="module")
def prepared(imaged: Imaged) -> Iterator[Imaged]:
    with imaged.ready(cleanup_after_s=_LIMIT_S):
        yield imaged


def assert_as_before(prepared: Imaged, before: dict[str, str]) -> None:
    """Within the limit, and the time that a cluster takes to come up, all runs, and nothing was restarted."""
    wait_until("all runs that ran", lambda: services.state(prepared.lab) == before, _LIMIT_S + 120, every_s=2)
    prepared.lab.wait_healthy()


def closed(prepared: Imaged) -> list[str]:
    """The images that were seen to be whole."""
    return prepared.text("backup", f"find {STORE}/images -name SHA256SUMS | sort").split()


def test_a_dry_run_pauses_nothing(prepared: Imaged) -> None:
    before = services.state(prepared.lab)
    ended = prepared.run(NAME, dry_run=True, **_ASKED)
    assert ended.code == 0, ended.output[-4000:]
    assert "2d. Pause the containers" in ended.output
    assert services.state(prepared.lab) == before


def test_images_are_whole_and_all_runs_as_before(prepared: Imaged) -> None:
    before = services.state(prepared.lab)
    ended = prepared.run(NAME, **_ASKED)
    assert ended.code == 0, ended.output[-4000:]
    assert services.state(prepared.lab) == before, "nothing was restarted, though health checks fire every two seconds"
    prepared.lab.wait_healthy()
    assert [image.split("/")[4] for image in closed(prepared)] == list(CONTROLLERS)
    for image in closed(prepared):
        prepared.lab.exec("backup", f"cd {image.rpartition('/')[0]} && sha256sum --check --quiet SHA256SUMS")
    assert prepared.text(CONTROLLERS[0], "systemctl list-timers --all --no-legend 'openstack-runbooks-cleanup*'") == ""


def test_what_is_paused_gets_no_processor_time_and_each_node_releases_itself(prepared: Imaged) -> None:
    """The flow is killed once all is paused, and nobody comes back."""
    before = services.state(prepared.lab)
    ended = prepared.run(NAME, "--kill-after", "2d", **_ASKED)
    assert ended.killed, ended.output[-4000:]
    had = {name: services.processor_time(prepared.lab, name) for name in CONTROLLERS}
    time.sleep(5)  # what is measured is that nothing happens in this time
    assert {name: services.processor_time(prepared.lab, name) for name in CONTROLLERS} == had
    assert_as_before(prepared, before)
    assert all(services.processor_time(prepared.lab, name) > had[name] for name in CONTROLLERS)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "kill",
    [
        *(f"--kill-during {step}" for step in ("2d", "3", "3j", "3l", "3m", "3o")),
        *(f"--kill-after {step}" for step in ("3g", "3i", "3j", "3k", "3l", "3m", "3n")),
    ],
)
def test_wherever_it_is_killed_all_runs_within_the_limit(prepared: Imaged, kill: str) -> None:
    before, images = services.state(prepared.lab), closed(prepared)
    ended = prepared.run(NAME, *kill.split(), **_ASKED)
    assert ended.killed, ended.output[-4000:]
    assert_as_before(prepared, before)
    assert closed(prepared) == images


@pytest.mark.exhaustive
def test_one_node_at_a_time_leaves_and_the_database_answers_all_the_while(prepared: Imaged) -> None:
    before, images = services.state(prepared.lab), closed(prepared)
    with client_at_the_vip(prepared.lab) as client:
        ended = prepared.run(NAME, availability="rolling", **_ASKED)
    assert ended.code == 0, ended.output[-4000:]
    assert services.state(prepared.lab) == before
    prepared.lab.wait_healthy()
    assert len(closed(prepared)) == len(images) + len(CONTROLLERS)
    assert client.outage_s < _SERVED_WITHIN_S


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill", ["--kill-during 3j", "--kill-after 3j", "--kill-during 3l", "--kill-during 3m"])
def test_wherever_it_is_killed_a_node_that_has_left_joins_again(prepared: Imaged, kill: str) -> None:
    before, images = services.state(prepared.lab), closed(prepared)
    ended = prepared.run(NAME, *kill.split(), availability="rolling", **_ASKED)
    assert ended.killed, ended.output[-4000:]
    assert_as_before(prepared, before)
    assert closed(prepared) == images


@pytest.mark.exhaustive
def test_a_node_whose_network_is_cut_releases_itself(prepared: Imaged) -> None:
    before, cut = services.state(prepared.lab), CONTROLLERS[1]
    rule = "INPUT -p tcp --dport 22 -j DROP"
    ended = prepared.run(NAME, "--kill-after", "2d", **_ASKED)
    assert ended.killed, ended.output[-4000:]
    prepared.lab.exec(cut, f"iptables -I {rule}")
    try:
        assert_as_before(prepared, before)
    finally:
        prepared.lab.exec(cut, f"iptables -D {rule}")


@pytest.mark.exhaustive
def test_what_no_timer_releases_resume_control_plane_does(prepared: Imaged) -> None:
    before = services.state(prepared.lab)
    ended = prepared.run(NAME, "--kill-after", "3j", **_ASKED)
    assert ended.killed, ended.output[-4000:]
    for name in CONTROLLERS:
        prepared.lab.exec(name, "systemctl stop 'openstack-runbooks-cleanup-*.timer'")
    prepared.lab.exec(CONTROLLERS[0], "podman unpause clustercheck")
    refused = prepared.run(NAME, **_ASKED)
    assert refused.code == 1
    assert "start resume-control-plane first" in refused.output
    resumed = prepared.run("resume-control-plane")
    assert resumed.code == 0, resumed.output[-4000:]
    assert services.state(prepared.lab) == before
    prepared.lab.wait_healthy()
    again = prepared.run("resume-control-plane")
    assert again.code == 0, again.output[-4000:]
    assert "nothing is paused or stopped" in again.output
