"""Heat's scaling policies work, and fail as Debian's own do when a fault says so."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.lab.shell import LabError, wait_until
from tests.openstack import Cloud

# Members that cost nothing: what is looked at is how a policy is signalled.
_TEMPLATE = """
heat_template_version: 2018-08-31
resources:
  group:
    type: OS::Heat::AutoScalingGroup
    properties: {min_size: 1, max_size: 9, resource: {type: OS::Heat::RandomString}}
  up:
    type: OS::Heat::ScalingPolicy
    properties:
      adjustment_type: change_in_capacity
      auto_scaling_group_id: {get_resource: group}
      scaling_adjustment: 1
outputs:
  alarm_url: {value: {get_attr: [up, alarm_url]}}
  size: {value: {get_attr: [group, current_size]}}
"""


class Group:
    """A stack with a scaling group."""

    def __init__(self, project: Any) -> None:
        self._project = project
        self.id = project.orchestration.create_stack(name="scaling", template=_TEMPLATE).id
        self.wait_complete()

    def output(self, name: str) -> Any:
        stack = self._project.orchestration.get_stack(self.id)
        return next(output["output_value"] for output in stack.outputs if output["output_key"] == name)

    def wait_complete(self) -> None:
        def look() -> str:
            status: str = self._project.orchestration.get_stack(self.id).status
            return "" if status == "CREATE_COMPLETE" else status

        wait_until("the stack was not made", look, timeout=60)

    def wait_size(self, wanted: int, timeout: float) -> None:
        wait_until(
            f"the group never had {wanted}",
            lambda: "" if (size := self.output("size")) == wanted else str(size),
            timeout,
        )

    def events(self) -> str:
        stack = self._project.orchestration.get_stack(self.id)
        events = self._project.orchestration.stack_events(stack, resource_name="up")
        return " ".join(str(event.resource_status_reason) for event in events)

    def delete(self) -> None:
        self._project.orchestration.delete_stack(self.id)
        wait_until(
            "the stack did not go",
            lambda: "" if self._project.orchestration.find_stack("scaling") is None else "it is there",
            timeout=60,
        )


def _post(url: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=b""), timeout=60) as answer:  # noqa: S310 - http
            code: int = answer.status
    except urllib.error.HTTPError as error:
        return error.code
    return code


@pytest.fixture(scope="module")
def group(project: Any) -> Iterator[Group]:
    made = Group(project)
    yield made
    made.delete()


def test_the_webhook_needs_no_token(cloud: Cloud, group: Group) -> None:
    size = group.output("size")
    assert _post(group.output("alarm_url")) == HTTPStatus.OK
    group.wait_size(size + 1, timeout=30)


def test_the_webhook_of_debians_heat_answers_403(cloud: Cloud, group: Group) -> None:
    with cloud.faults.during("webhook"):
        wait_until("no 403", lambda: _answer(group, HTTPStatus.FORBIDDEN), timeout=60)
    wait_until("no 200", lambda: _answer(group, HTTPStatus.OK), timeout=60)


def _answer(group: Group, wanted: int) -> str:
    try:
        code = _post(group.output("alarm_url"))
    except OSError as error:
        return str(error)  # heat-api-cfn is starting.
    return "" if code == wanted else f"{code}"


def test_a_signal_to_debians_heat_changes_nothing(cloud: Cloud, group: Group) -> None:
    size = group.output("size")
    with cloud.faults.during("heat-signal"):
        _post(group.output("alarm_url"))
        with pytest.raises(LabError):
            group.wait_size(size + 1, timeout=5)
