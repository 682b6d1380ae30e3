"""The web farm scales by its webhook and by load, and no visitor notices."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Ended, Runbooks
from tests.autoscaling.stacks import Standing

NAME = "webfarm"
_PARAMETERS = {**PARAMETERS, "subnet": "private"}


@pytest.fixture(scope="module")
def farm(runbooks: Runbooks) -> Iterator[Standing]:
    """The farm as deploy-stack makes it, which is the check's to look at, and not to remove."""
    with Standing.made(runbooks, NAME, "web-farm", **_PARAMETERS) as farm:
        yield farm


def check(runbooks: Runbooks) -> Ended:
    return runbooks.run("check-web-autoscaling", stack_name=NAME, **INTERVALS)


def test_a_web_farm_that_scales_passes(runbooks: Runbooks, farm: Standing) -> None:
    farm.rest()
    ended = check(runbooks)
    assert ended.code == 0, ended.output[-5000:]
    verdict = str(runbooks.artifact("check-web-autoscaling-openstack-verdict"))
    assert verdict.startswith("# passed")
    for step in ("1 → 2", "2 → 3", "3 → 2", "2 → 1"):
        assert step in verdict
    assert "POST to the webhook to scale up: 200" in ended.output
    (asked,) = re.findall(r"(\d+) requests of a visitor, none was lost", verdict)
    assert int(asked) > 200
    (calls,) = re.findall(r"(\d+) calls a minute", verdict)
    assert int(calls) <= 60
    assert "Members that left the pool before their servers went: 2" in verdict


def test_a_webhook_that_refuses_is_named(runbooks: Runbooks, farm: Standing) -> None:
    farm.rest()
    with runbooks.cloud.faults.during("webhook"):
        ended = check(runbooks)
    assert ended.code == 1, ended.output[-5000:]
    verdict = str(runbooks.artifact("check-web-autoscaling-openstack-verdict"))
    assert verdict.startswith("# failed\n\nwebhook refused: the webhook to scale up answered 403: Keystone")
