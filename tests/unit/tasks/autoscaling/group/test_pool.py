"""Whether a member leaves the pool before its server goes, as Heat's events say it."""

from __future__ import annotations

from tasks.autoscaling.group.pool import departures, types_by_name
from tasks.heat.events import Event, parse_event
from tasks.heat.stack import parse_resource
from tests.unit.tasks.heat_api import event, resource

MEMBER = "website-webserver-x4k2/1"
OTHER = "example/2"
TYPES = types_by_name(
    [
        parse_resource(resource("server", stack=MEMBER)),
        parse_resource(resource("member", stack=MEMBER, kind="OS::Octavia::PoolMember")),
        parse_resource(resource("server", stack=OTHER)),
    ]
)


def said(*what: tuple[str, str], stack: str = MEMBER) -> list[Event]:
    return [parse_event(event(number, name, status, stack=stack)) for number, (name, status) in enumerate(what)]


def test_a_member_that_left_the_pool_before_its_server_went_is_well() -> None:
    (leave,) = departures(
        said(
            ("member", "DELETE_IN_PROGRESS"),
            ("member", "DELETE_COMPLETE"),
            ("server", "DELETE_IN_PROGRESS"),
            ("server", "DELETE_COMPLETE"),
        ),
        TYPES,
    )
    assert (leave.member, leave.left_pool_first) == ("website-webserver-x4k2", True)


def test_a_server_that_goes_while_the_pool_still_has_it_is_seen() -> None:
    (leave,) = departures(
        said(("member", "DELETE_IN_PROGRESS"), ("server", "DELETE_IN_PROGRESS"), ("member", "DELETE_COMPLETE")), TYPES
    )
    assert not leave.left_pool_first


def test_a_server_without_a_pool_is_nobodys_member() -> None:
    assert departures(said(("server", "DELETE_IN_PROGRESS"), stack=OTHER), TYPES) == []
