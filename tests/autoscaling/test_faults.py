"""Each fault is real, is named in the verdict, and ends the check as soon as it is certain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic

import pytest

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Runbooks
from tests.autoscaling.stacks import Standing

NAME = "faulty"
# A member of this cloud is reached within seconds, and so is a measure: what takes longer is a fault.
BRIEF = {"settle_s": 15, "processing_s": 5}


@pytest.fixture(scope="module")
def standing(runbooks: Runbooks) -> Iterator[Standing]:
    """A group of one or two, which no check makes or removes."""
    with Standing.made(runbooks, NAME, "cpu-group", {}, **PARAMETERS, max_size=2) as standing:
        yield standing


@pytest.fixture
def group(standing: Standing) -> Standing:
    standing.rest()
    return standing


def verdict(runbooks: Runbooks, fault: AbstractContextManager[None], within_s: float) -> tuple[str, str]:
    """The outcome of a check during a fault, and why; it must not take longer than so many seconds."""
    with fault:
        begun = monotonic()
        ended = runbooks.run("check-autoscaling", stack_name=NAME, **{**INTERVALS, **BRIEF})
        took_s = monotonic() - begun
    assert ended.code == 1, ended.output[-5000:]
    outcome, _, why = str(runbooks.artifact("check-autoscaling-openstack-verdict")).partition("\n\n")
    assert took_s < within_s, f"{took_s:.0f} s; {ended.output[-5000:]}"
    return outcome.removeprefix("# "), why.partition("\n")[0]


def test_a_threshold_wrong_by_two_is_named_before_any_load(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, group.threshold_times(2), 40)
    assert outcome == "failed"
    assert why.startswith("alarm with another threshold: the high alarm compares with 1e+10 instead of 5e+09, 2 times")


def test_ceilometer_that_is_stopped_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("ceilometer"), 75)
    assert outcome == "inconclusive"
    assert why.startswith("no new measures: ")
    assert "nothing waits for metricd: see whether Ceilometer's polling" in why


def test_metricd_that_is_stopped_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("metricd"), 75)
    assert outcome == "inconclusive"
    assert why.startswith("no new measures: ")
    assert "measures wait for metricd: see whether gnocchi-metricd runs" in why


def test_a_load_that_dies_early_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("load"), 60)
    assert outcome == "inconclusive"
    assert why.startswith("load that died early: ")


def test_a_member_out_of_reach_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("ssh"), 60)
    assert outcome == "inconclusive"
    assert why.startswith("member out of reach: ")


def test_heat_that_does_not_act_on_a_signal_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("heat-signal"), 110)
    assert outcome == "failed"
    assert why.startswith("alarm without effect: the high alarm was up")
    assert "AuthorizationFailure" in why


def test_a_member_that_cannot_boot_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("boot"), 120)
    assert outcome == "failed"
    assert why.startswith("member in ERROR: server ")


def test_a_group_that_is_full_before_is_named(runbooks: Runbooks, standing: Standing) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        with runbooks.cloud.faults.during("evaluator"):  # or the low alarm would make it smaller again
            standing.fill(2)
            yield

    outcome, why = verdict(runbooks, full(), 60)
    assert outcome == "inconclusive"
    assert why.startswith("max_size reached before: the group had 2 members before there was any load")
