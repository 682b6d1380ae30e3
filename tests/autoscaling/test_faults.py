"""Each fault is real, and is named in the verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.autoscaling.runbooks import BESIDE, INTERVALS, PARAMETERS, Ended, Runbooks
from tests.autoscaling.stacks import Standing
from tests.lab.shell import wait_until

# A member of this cloud is reached within seconds, and so is a measure: what takes longer is a fault.
BRIEF = {"settle_s": 15, "processing_s": 5}


@pytest.fixture
def group(standing: Standing) -> Standing:
    """The group at its minimum, with fresh measures."""
    standing.rest()
    return standing


@pytest.fixture
def unmeasured(standing: Standing) -> Standing:
    """A group whose telemetry may still be finding its feet: what is certain without it fails a check all the same."""
    standing.rest(measured=False)
    return standing


def verdict(runbooks: Runbooks, group: Standing) -> tuple[str, str]:
    """The outcome of a check, and why."""
    ended = runbooks.run("check-autoscaling", stack_name=group.name, **{**INTERVALS, **BRIEF})
    assert ended.code == 1, ended.output[-5000:]
    outcome, _, why = str(runbooks.artifact("check-autoscaling-openstack-verdict")).partition("\n\n")
    return outcome.removeprefix("# "), why.partition("\n")[0]


# What leaves the group as it was comes first, since a group that has grown takes its time until it is small again.


def test_a_threshold_wrong_by_two_is_named_before_any_load(runbooks: Runbooks, unmeasured: Standing) -> None:
    with unmeasured.threshold_times(2):
        outcome, why = verdict(runbooks, unmeasured)
    assert outcome == "failed"
    assert why.startswith(
        "alarm with another threshold: the high alarm compares with 5e+09 instead of 2.5e+09, 2 times"
    )


# Each: the fault, the outcome, how the reason begins, what else it says.
CASES = [
    ("ceilometer", "inconclusive", "no new measures: ", "nothing waits for metricd: see whether Ceilometer's polling"),
    ("ssh", "inconclusive", "member out of reach: ", "no SSH session"),
    ("metricd", "inconclusive", "no new measures: ", "measures wait for metricd: see whether gnocchi-metricd runs"),
    ("load", "inconclusive", "load that died early: ", "0 of 1 loads were left"),
    ("heat-signal", "failed", "alarm without effect: the high alarm was up", "AuthorizationFailure"),
]


@pytest.mark.parametrize(("fault", "named", "begins", "says"), CASES, ids=[case[0] for case in CASES])
def test_a_fault_is_named(runbooks: Runbooks, group: Standing, fault: str, named: str, begins: str, says: str) -> None:
    with runbooks.cloud.faults.during(fault):
        outcome, why = verdict(runbooks, group)
    assert outcome == named
    assert why.startswith(begins)
    assert says in why


def test_a_service_that_stays_away_cuts_the_check_short_and_no_load_is_left(
    runbooks: Runbooks, group: Standing
) -> None:
    begun = runbooks.begin("check-autoscaling", stack_name=group.name, **{**INTERVALS, **BRIEF, "settle_s": 10})
    wait_until(
        "nothing was loaded",
        lambda: "" if "step 1.2.1b on" in begun.output else f"it said {begun.output[-500:]}",
        timeout=60,
    )
    with runbooks.cloud.faults.during("alarm-api"):
        ended = begun.wait()
    assert ended.code == 1
    said = str(runbooks.artifact("check-autoscaling-openstack-verdict"))
    assert said.startswith("# inconclusive\n\ncheck that was cut short: step 1.2.1b")
    assert re.search(r"has failed for \d\d s: .*8042: Connection refused", said)
    assert runbooks.cloud.exec("pgrep --exact dd", check=False).stdout == ""


@dataclass
class Unbootable:
    """What came of servers that can't boot.

    Attributes:
        outcome: Of a check of a group that stood.
        why: The verdict's reason.
        making: The run of deploy-stack that made another group meanwhile.
    """

    outcome: str
    why: str
    making: Ended


@pytest.fixture(scope="module")
def unbootable(runbooks: Runbooks, standing: Standing) -> Unbootable:
    standing.rest()
    with runbooks.cloud.faults.during("boot"):
        making = runbooks.begin(
            "deploy-stack",
            site=BESIDE,
            stack_name="unbootable",
            stack_parameters=PARAMETERS,
            on_failure="remove",
            timeout_min=3,
        )
        outcome, why = verdict(runbooks, standing)
        return Unbootable(outcome, why, making.wait())


def test_a_member_that_cannot_boot_is_named(unbootable: Unbootable) -> None:
    assert unbootable.outcome == "failed"
    assert unbootable.why.startswith("member in ERROR: server ")


def test_the_deepest_reason_is_told_where_a_member_cannot_boot(runbooks: Runbooks, unbootable: Unbootable) -> None:
    assert unbootable.making.code == 1
    assert "OS::Nova::Server" in unbootable.making.output
    assert runbooks.cloud.connect().get_stack("unbootable") is None


def test_a_group_that_is_full_before_is_named(runbooks: Runbooks, standing: Standing) -> None:
    with runbooks.cloud.faults.during("evaluator"):  # or the low alarm would make it smaller again
        standing.fill(2)
        outcome, why = verdict(runbooks, standing)
    assert outcome == "inconclusive"
    assert why.startswith("max_size reached before: the group had 2 members before there was any load")
