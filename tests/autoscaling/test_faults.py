"""Each fault is real, and is named in the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Runbooks
from tests.autoscaling.stacks import Standing

NAME = "faulty"
# A member of this cloud is reached within seconds, and so is a measure: what takes longer is a fault.
BRIEF = {"settle_s": 15, "processing_s": 5}


@pytest.fixture(scope="module")
def standing(runbooks: Runbooks) -> Iterator[Standing]:
    """A group of one or two, which no check makes or removes."""
    with Standing.made(runbooks, NAME, "cpu-group", **PARAMETERS, max_size=2) as standing:
        yield standing


@pytest.fixture
def group(standing: Standing) -> Standing:
    standing.rest()
    return standing


@pytest.fixture
def unmeasured(standing: Standing) -> Standing:
    """A group whose telemetry may still be finding its feet: what is certain without it fails a check all the same."""
    standing.rest(measured=False)
    return standing


def verdict(runbooks: Runbooks, fault: AbstractContextManager[None]) -> tuple[str, str]:
    """The outcome of a check during a fault, and why."""
    with fault:
        ended = runbooks.run("check-autoscaling", stack_name=NAME, **{**INTERVALS, **BRIEF})
    assert ended.code == 1, ended.output[-5000:]
    outcome, _, why = str(runbooks.artifact("check-autoscaling-openstack-verdict")).partition("\n\n")
    return outcome.removeprefix("# "), why.partition("\n")[0]


def test_ceilometer_that_is_stopped_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("ceilometer"))
    assert outcome == "inconclusive"
    assert why.startswith("no new measures: ")
    assert "nothing waits for metricd: see whether Ceilometer's polling" in why


def test_a_threshold_wrong_by_two_is_named_before_any_load(runbooks: Runbooks, unmeasured: Standing) -> None:
    outcome, why = verdict(runbooks, unmeasured.threshold_times(2))
    assert outcome == "failed"
    assert why.startswith(
        "alarm with another threshold: the high alarm compares with 5e+09 instead of 2.5e+09, 2 times"
    )


def test_a_member_out_of_reach_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("ssh"))
    assert outcome == "inconclusive"
    assert why.startswith("member out of reach: ")


def test_a_load_that_dies_early_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("load"))
    assert outcome == "inconclusive"
    assert why.startswith("load that died early: ")


def test_heat_that_does_not_act_on_a_signal_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("heat-signal"))
    assert outcome == "failed"
    assert why.startswith("alarm without effect: the high alarm was up")
    assert "AuthorizationFailure" in why


def test_a_member_that_cannot_boot_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("boot"))
    assert outcome == "failed"
    assert why.startswith("member in ERROR: server ")


def test_metricd_that_is_stopped_is_named(runbooks: Runbooks, group: Standing) -> None:
    outcome, why = verdict(runbooks, runbooks.cloud.faults.during("metricd"))
    assert outcome == "inconclusive"
    assert why.startswith("no new measures: ")
    assert "measures wait for metricd: see whether gnocchi-metricd runs" in why


def test_a_group_that_is_full_before_is_named(runbooks: Runbooks, standing: Standing) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        with runbooks.cloud.faults.during("evaluator"):  # or the low alarm would make it smaller again
            standing.fill(2)
            yield

    outcome, why = verdict(runbooks, full())
    assert outcome == "inconclusive"
    assert why.startswith("max_size reached before: the group had 2 members before there was any load")
