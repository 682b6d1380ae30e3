"""What ran before is known by its name, stopped, and started again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import WaitExpired
from tasks.engine.step import apply_change
from tasks.node.tripleo_services import (
    Services,
    check_no_container,
    check_running,
    parse_services,
    read_services,
    start,
    stop_containers,
    stop_units,
)
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

UNITS = """\
tripleo_glance_api.service             loaded    failed     failed       glance_api container
tripleo_heat_engine.service            loaded    activating auto-restart heat_engine container
tripleo_keystone.service               loaded    active     running      keystone container
tripleo_keystone_healthcheck.service   loaded    active     running      keystone healthcheck
tripleo_keystone_healthcheck.timer     loaded    active     waiting      keystone container healthcheck
tripleo_nova_wait_for_api.service      loaded    inactive   dead         nova_wait_for_api container
"""
KEYSTONE = "tripleo_keystone.service loaded active running x\n"


def test_what_runs_is_units_without_health_checks_and_containers_of_no_unit_that_runs() -> None:
    found = parse_services(UNITS, "keystone\nglance_api\nneutron-dnsmasq\nopenstack-runbooks-restore\n")
    assert found.units == ("tripleo_keystone.service", "tripleo_keystone_healthcheck.timer")
    assert found.containers == ("glance_api", "neutron-dnsmasq")
    assert str(Services()) == "nothing"


def test_what_an_attempt_sees_is_added_to_what_an_earlier_one_saw() -> None:
    earlier = Services(units=("tripleo_a.service",), containers=("stray", "b"))
    both = earlier.and_also(Services(units=("tripleo_b.service",), containers=("new",)))
    assert both == Services(units=("tripleo_a.service", "tripleo_b.service"), containers=("new", "stray"))


def test_timers_are_stopped_before_services(clock: FakeClock) -> None:
    shell = FakeShell(otherwise="").on("list-units", say=[KEYSTONE, ""])
    assert apply_change(shell, stop_units(60), silent) == "done"
    assert shell.lines("systemctl stop") == ["sudo systemctl stop 'tripleo_*.timer'", "sudo systemctl stop 'tripleo_*'"]
    assert apply_change(FakeShell().on("list-units", say=UNITS.splitlines()[0]), stop_units(60), silent) == "already"


PODMAN = """#!/bin/bash
case $1 in
  ps) cat {0}/names ;;
  *) echo "$*" > {0}/asked; echo openstack-runbooks-x > {0}/names ;;
esac
"""


def test_containers_that_still_run_are_stopped_by_their_names_and_our_own_are_not(tmp_path: Path) -> None:
    (tmp_path / "podman").write_text(PODMAN.format(tmp_path))
    (tmp_path / "podman").chmod(0o755)
    (tmp_path / "names").write_text("mysql\nopenstack-runbooks-x\nstray\n")
    here = LocalShell(tmp_path)
    assert apply_change(here, stop_containers(60), silent) == "done"
    assert (tmp_path / "asked").read_text() == "container stop --time 10 mysql stray\n"
    assert apply_change(here, stop_containers(60), silent) == "already"


def test_our_own_containers_count_where_none_may_run(clock: FakeClock) -> None:
    apply_change(FakeShell().on("podman ps", say=""), check_no_container(), silent)
    with pytest.raises(WaitExpired, match="openstack-runbooks-x"):
        apply_change(FakeShell().on("podman ps", say="openstack-runbooks-x\n"), check_no_container(), silent)


def test_all_that_ran_is_started_and_nothing_waits_for_a_unit_that_fails() -> None:
    shell = FakeShell(otherwise="")
    apply_change(shell, start(Services(units=("tripleo_a.timer",), containers=("stray",)), 60), silent)
    assert shell.lines("start") == [
        "sudo systemctl start --no-block multi-user.target",
        "sudo systemctl start --no-block tripleo_a.timer",
        "sudo podman container start stray",
    ]
    nothing = FakeShell(otherwise="")
    apply_change(nothing, start(Services(), 60), silent)
    assert nothing.lines("start") == ["sudo systemctl start --no-block multi-user.target"]


def test_what_does_not_come_back_is_told_by_its_name(clock: FakeClock) -> None:
    wanted = Services(units=("tripleo_keystone.service", "tripleo_glance_api.service"), containers=("stray",))
    shell = FakeShell().on("list-units", say=UNITS).on("podman ps", say="keystone\n")
    with pytest.raises(WaitExpired) as expired:
        apply_change(shell, check_running(wanted, 60), silent)
    assert "tripleo_glance_api.service is failed; container stray does not run" in expired.value.message
    assert "systemctl status" in expired.value.hint


def test_what_comes_back_in_time_is_enough(clock: FakeClock) -> None:
    shell = FakeShell().on("list-units", say=["", KEYSTONE]).on("podman ps", say="keystone\n")
    apply_change(shell, check_running(Services(units=("tripleo_keystone.service",)), 60), silent)
    assert read_services(shell) == Services(units=("tripleo_keystone.service",))
