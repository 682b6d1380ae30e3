"""What must be cleaned up is cleaned up by somebody: by the run, by its hooks, or by each host's own timer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, ConnectionLost, RunbookError
from tasks.engine.cleanup import Cleanup, arm, armed, clean_up, read_armed, run_now
from tasks.engine.heartbeat import Renewal
from tests.unit.fakes import FakeClock, FakeShell, LocalShell
from tests.unit.tasks.samples import CLEANUP, HOSTS

pytestmark = pytest.mark.usefixtures("clock")

EVERYWHERE = Cleanup(
    key="paused", sentence="Unpause", words={name: ("podman", "unpause", f"on-{name}") for name in HOSTS}
)


@pytest.fixture
def shells() -> dict[str, FakeShell]:
    return {name: FakeShell(name, otherwise="") for name in HOSTS}


def test_the_hosts_own_timer_runs_the_same_words() -> None:
    words = arm(CLEANUP, "controller-0", 300).words
    assert words[-len(CLEANUP.words["controller-0"]) :] == CLEANUP.words["controller-0"]
    assert "--on-active=300" in " ".join(words)
    assert CLEANUP.unit("controller-0") in " ".join(words)


def test_arming_again_sets_the_timer_back_to_its_full_time_and_proves_that_it_waits() -> None:
    script, unit = " ".join(arm(CLEANUP, "controller-0", 300).words), CLEANUP.unit("controller-0")
    places = [script.index(f"systemctl stop {unit}.timer"), script.index("systemd-run"), script.index("is-active")]
    assert places == sorted(places)


def test_a_timer_that_systemd_has_not_let_go_of_yet_is_asked_for_again(tmp_path: Path) -> None:
    """Seen on the lab: a unit of that name `was already loaded or has a fragment file`."""
    programs = {
        "systemctl": f"[ $1 = stop ] || [ $1 = reset-failed ] || [ -e {tmp_path}/armed ]",
        "systemd-run": f"echo >>{tmp_path}/asked; [ $(wc -l <{tmp_path}/asked) -ge 3 ] && touch {tmp_path}/armed",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    LocalShell(tmp_path).run(arm(CLEANUP, "controller-0", 300))
    assert (tmp_path / "armed").exists()


def test_other_words_have_another_timer() -> None:
    other = CLEANUP.model_copy(update={"words": {"controller-0": ("true",)}})
    assert CLEANUP.unit("controller-0") != other.unit("controller-0")


def test_where_one_host_cannot_be_armed_nothing_begins(shells: dict[str, FakeShell]) -> None:
    shells["controller-1"].on("systemd-run", say=1)
    with pytest.raises(CommandFailed), armed(EVERYWHERE, shells, 300, None):
        raise AssertionError("it began")


class Beats:
    """A heartbeat whose beats the test makes itself."""

    def __init__(self) -> None:
        self.kept: list[Renewal] = []

    @contextmanager
    def keeping(self, kept: list[Renewal]) -> Iterator[None]:
        self.kept += kept
        yield
        self.kept.clear()


def test_each_timer_is_renewed_by_itself_and_the_run_stops_before_one_runs_out(shells: dict[str, FakeShell]) -> None:
    beats = Beats()
    with armed(EVERYWHERE, shells, 300, beats):  # type: ignore[arg-type]
        assert len(beats.kept) == 3
        shells["controller-1"].on("systemd-run", say=ConnectionLost("controller-1", "gone"))
        for each in beats.kept:
            each.beat()
        assert [len(shells[name].lines("systemd-run")) for name in HOSTS] == [2, 2, 2]
        assert all(each._within_s < 300 and each._every_s < each._within_s / 2 for each in beats.kept)
    assert beats.kept == []


def test_the_last_announced_is_cleaned_up_first_and_each_is_put_on_record(shells: dict[str, FakeShell]) -> None:
    due: list[list[Cleanup]] = []
    assert clean_up([CLEANUP, EVERYWHERE], shells, due.append) == []
    assert due == [[CLEANUP], []]
    first = [one.words for one in shells["controller-0"].ran]
    assert first.index(EVERYWHERE.words["controller-0"]) < first.index(CLEANUP.words["controller-0"])


def test_the_timer_is_disarmed_after_the_cleanup(shells: dict[str, FakeShell]) -> None:
    clean_up([CLEANUP], shells, lambda _: None)
    assert shells["controller-0"].ran[0].words == CLEANUP.words["controller-0"]
    assert "systemctl stop" in shells["controller-0"].ran[1].shown


def test_a_host_that_fails_hinders_no_other_and_stays_due_with_its_timer(shells: dict[str, FakeShell]) -> None:
    due: list[list[Cleanup]] = []
    shells["controller-1"].on("unpause", say=125)
    (error,) = clean_up([EVERYWHERE], shells, due.append)
    assert "controller-1: exit code 125" in error
    assert due == [[EVERYWHERE.on(["controller-1"])]]
    assert all(shells[name].lines("podman unpause") for name in HOSTS)
    assert shells["controller-1"].lines("systemctl") == []


def test_a_host_that_the_site_no_longer_has_is_told_and_hinders_no_other(shells: dict[str, FakeShell]) -> None:
    due: list[list[Cleanup]] = []
    del shells["controller-1"]
    (error,) = clean_up([EVERYWHERE], shells, due.append)
    assert "controller-1: is no host of this run any more" in error
    assert due == [[EVERYWHERE.on(["controller-1"])]]
    assert all(shell.lines("podman unpause") for shell in shells.values())


def test_a_connection_that_is_lost_is_tried_again(shells: dict[str, FakeShell], clock: FakeClock) -> None:
    shells["controller-2"].on("unpause", say=[ConnectionLost("controller-2", "gone"), ""])
    assert clean_up([EVERYWHERE], shells, lambda _: None) == []


def test_a_journal_that_cannot_be_kept_hinders_no_cleanup(shells: dict[str, FakeShell]) -> None:
    def cannot(_: object) -> None:
        raise RunbookError("the disk is full")

    errors = clean_up([CLEANUP, EVERYWHERE], shells, cannot)
    assert errors == ["the journal can't be kept: the disk is full"] * 2
    assert shells["controller-0"].lines("rm -f")


def test_a_cleanup_has_the_time_that_it_says_to_need(shells: dict[str, FakeShell]) -> None:
    longer = EVERYWHERE.model_copy(update={"within_s": 600.0})
    assert clean_up([EVERYWHERE, longer], shells, lambda _: None) == []
    ran = [one.timeout_s for one in shells["controller-0"].ran if "unpause" in one.words]
    assert ran == [600.0, 60.0]


def test_timers_that_killed_runs_have_left_are_found_and_done_at_once() -> None:
    left = [f"openstack-runbooks-cleanup-0a{number}.timer" for number in range(3)]
    listed = "".join(
        f"{unit} loaded {state} x y\n" for unit, state in zip(left, ("active", "inactive", "active"), strict=True)
    )
    shell = FakeShell().on("list-units", say=listed)
    assert read_armed(shell) == [left[0], left[2]]
    assert run_now(left[:1]).words[-1] == left[0]


def test_what_is_done_at_once_is_its_service_and_the_timer_does_not_fire_again(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text(f'#!/bin/bash\necho "$*" >>{tmp_path}/calls\n')
    (tmp_path / "systemctl").chmod(0o755)
    LocalShell(tmp_path).run(run_now(["openstack-runbooks-cleanup-0a.timer"]))
    assert (tmp_path / "calls").read_text().splitlines() == [
        "start openstack-runbooks-cleanup-0a.service",
        "stop openstack-runbooks-cleanup-0a.timer",
    ]
