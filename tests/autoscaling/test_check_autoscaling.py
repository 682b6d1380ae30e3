"""The check passes on a cloud that works, and names what is wrong with one that does not."""

from __future__ import annotations

import pytest

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Runbooks


def test_a_group_that_scales_passes(runbooks: Runbooks) -> None:
    ended = runbooks.run("check-autoscaling", stack_parameters=PARAMETERS, **INTERVALS)
    assert ended.code == 0, ended.output[-5000:]
    verdict = str(runbooks.artifact("check-autoscaling-openstack-verdict"))
    assert verdict.startswith("# passed")
    for step in ("1 → 2", "2 → 3", "3 → 2", "2 → 1"):
        assert step in verdict
    assert str(runbooks.artifact("check-autoscaling-openstack-picture")).startswith("data:image/png;base64,")
    assert runbooks.cloud.connect().get_stack("check-autoscaling") is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("ceilometer", "no new measures"),
        ("metricd", "no new measures"),
        ("heat-signal", "alarm without effect"),
        ("ssh", "at its minimum"),
    ],
)
def test_a_fault_is_named(runbooks: Runbooks, fault: str, words: str) -> None:
    with runbooks.cloud.faults.during(fault):
        ended = runbooks.run("check-autoscaling", stack_parameters=PARAMETERS, **INTERVALS)
    assert ended.code == 1, ended.output[-5000:]
    assert words in ended.output, ended.output[-5000:]
