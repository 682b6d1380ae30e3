"""The deepest resource that failed is found, whatever else Heat marked as failed on its account."""

from __future__ import annotations

from typing import Any

import pytest

from blocks.remote import secrets
from tasks.heat.events import parse_event
from tasks.heat.failure import StackFailed, find_failure
from tasks.heat.stack import Stack, parse_resource
from tests.unit.tasks.heat_api import ID, event, resource

STACK = Stack("example", ID, "CREATE_FAILED", "Resource CREATE failed: ResourceInError: resources.group")


def failure(*resources: dict[str, Any], stack: Stack = STACK) -> str:
    return str(find_failure(stack, [parse_resource(resource) for resource in resources]))


def test_a_hook_that_nobody_has_cleared_is_named_and_what_has_not_begun() -> None:
    stack = Stack("example", ID, "CREATE_FAILED", "Create timed out")
    waiting = [parse_resource(resource("one", "INIT_COMPLETE")), parse_resource(resource("two", "CREATE_COMPLETE"))]
    assert "unfinished: one" in str(find_failure(stack, waiting))
    paused = parse_event(event(1, "one", "INIT_COMPLETE", "CREATE paused until Hook pre-create is cleared"))
    said = str(find_failure(stack, waiting, [paused]))
    assert "Create timed out (waiting for a hook to be cleared: one: CREATE paused until Hook pre-create" in said
    assert "openstack stack hook clear example" in said
    cleared = parse_event(event(2, "one", "INIT_COMPLETE", "Hook pre-create is cleared"))
    assert "hook" not in str(find_failure(stack, waiting, [paused, cleared]))


def nested(name: str, status: str, inside: str, **more: Any) -> dict[str, Any]:
    return resource(name, status, kind="a.yaml", nested=inside, reason="resources failed", **more)


def test_goes_down_through_every_nested_stack() -> None:
    assert failure(
        nested("webserver", "CREATE_FAILED", "w/2"),
        nested("x4k2", "CREATE_FAILED", "x/3", stack="w/2"),
        resource("member", "CREATE_FAILED", kind="OS::Octavia::PoolMember", stack="x/3", reason="no such pool"),
        resource("server", "CREATE_COMPLETE", stack="x/3"),
    ) == ("webserver / x4k2 / member (OS::Octavia::PoolMember): no such pool")


def test_a_nested_stack_without_a_failed_resource_is_itself_the_cause() -> None:
    assert failure(
        resource("group", "CREATE_FAILED", kind="OS::Heat::AutoScalingGroup", nested="g/2", reason="bad template"),
        resource("server", "CREATE_COMPLETE", stack="g/2"),
    ).startswith("group (OS::Heat::AutoScalingGroup): bad template")


@pytest.mark.parametrize("word", ["CREATE aborted (user triggered cancel)", "Resource CREATE cancelled"])
def test_what_heat_gave_up_on_anothers_account_is_not_the_cause(word: str) -> None:
    assert failure(
        resource("first", "CREATE_FAILED", reason=word), resource("second", "CREATE_FAILED", reason="no valid host")
    ) == ("second (OS::Nova::Server): no valid host")


def test_where_all_were_given_up_one_of_them_is_named() -> None:
    assert "first" in failure(resource("first", "CREATE_FAILED", reason="CREATE aborted"))


def test_says_how_many_more_failed() -> None:
    both = [resource(name, "CREATE_FAILED", reason="no valid host") for name in ("a", "b", "c")]
    assert failure(*both).endswith("a (OS::Nova::Server): no valid host; 2 more failed")


def test_a_stack_that_ran_out_of_time_says_what_it_waited_for() -> None:
    late = Stack("example", ID, "CREATE_FAILED", "Create timed out")
    assert (
        failure(
            nested("group", "CREATE_IN_PROGRESS", "g/2"),
            resource("server", "CREATE_IN_PROGRESS", stack="g/2"),
            resource("net", "CREATE_COMPLETE"),
            stack=late,
        )
        == "example: Create timed out (unfinished: group / server)"
    )


def test_a_stack_without_any_reason_says_so() -> None:
    assert failure(stack=Stack("example", ID, "CREATE_FAILED")) == "example: Heat gives no reason"


def test_a_secret_in_a_reason_is_masked() -> None:
    secrets.register("Tr0ub4dor&3")
    assert "Tr0ub4dor" not in failure(resource("a", "CREATE_FAILED", reason="login with Tr0ub4dor&3 refused"))


def test_the_error_has_the_stack_and_the_failure() -> None:
    found = find_failure(
        STACK, [parse_resource(resource("a", "CREATE_FAILED", reason="no valid host", physical_id="s1"))]
    )
    error = StackFailed("overcloud", STACK, found, "it is kept")
    assert (error.failure.physical_id, error.stack, error.hint) == ("s1", STACK, "it is kept")


def test_a_parent_that_is_its_own_child_does_not_hang() -> None:
    assert "a" in failure(resource("a", "CREATE_FAILED", nested="s/1", stack="s/1", reason="x"))
