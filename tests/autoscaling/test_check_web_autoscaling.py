"""The web farm scales by its webhook and by load, and no visitor notices."""

from __future__ import annotations

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Runbooks


def test_a_web_farm_that_scales_passes(runbooks: Runbooks) -> None:
    parameters = {**PARAMETERS, "subnet": "private"}
    ended = runbooks.run("check-web-autoscaling", stack_parameters=parameters, high_percent=50, **INTERVALS)
    assert ended.code == 0, ended.output[-5000:]
    verdict = str(runbooks.artifact("check-web-autoscaling-openstack-verdict"))
    assert verdict.startswith("# passed")
    assert "POST to the webhook to scale up: 200" in ended.output
    assert runbooks.cloud.connect().get_stack("check-web-autoscaling") is None


def test_a_webhook_that_refuses_is_named(runbooks: Runbooks) -> None:
    parameters = {**PARAMETERS, "subnet": "private"}
    with runbooks.cloud.faults.during("webhook"):
        ended = runbooks.run("check-web-autoscaling", stack_parameters=parameters, high_percent=50, **INTERVALS)
    assert ended.code == 1, ended.output[-5000:]
    assert "webhook refused" in ended.output
    assert "403" in ended.output
