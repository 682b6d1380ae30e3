"""The pool behind a load balancer: whether a member leaves it before its server goes, by Heat's events (AS 1.3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.heat.events import Event
from tasks.heat.stack import Resource

# Types of the two in today's template and in OSP 8's.
_IN_POOL = frozenset({"OS::Octavia::PoolMember", "OS::Neutron::LBaaS::PoolMember", "OS::Neutron::PoolMember"})
_SERVER = "OS::Nova::Server"

# `name/id` of a stack and the name of a resource in it → the resource's type.
Types = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class PoolDeparture:
    """A server that went.

    Attributes:
        member: Name of the member's stack.
        event: The beginning of its end.
        left_pool_first: Whether it had left the pool by then.
    """

    member: str
    event: Event
    left_pool_first: bool


def types_by_name(resources: Sequence[Resource]) -> dict[tuple[str, str], str]:
    """What the resources of a listing are: an event has a name, and no type."""
    return {(resource.stack, resource.name): resource.type for resource in resources}


def is_server(event: Event, types: Types) -> bool:
    """Whether an event is a server's."""
    return types.get((f"{event.stack}/{event.stack_id}", event.resource)) == _SERVER


def departures(events: Sequence[Event], types: Types) -> list[PoolDeparture]:
    """Every member of a pool whose server went.

    Args:
        events: Of the stack and its nested stacks, in Heat's order.
        types: What their resources are.
    """
    out: set[str] = set()
    found = []
    pools = {stack for (stack, _), type_ in types.items() if type_ in _IN_POOL}
    for event in events:
        stack = f"{event.stack}/{event.stack_id}"
        if types.get((stack, event.resource)) in _IN_POOL and event.status == "DELETE_COMPLETE":
            out.add(stack)
        elif is_server(event, types) and event.status == "DELETE_IN_PROGRESS" and stack in pools:
            found.append(PoolDeparture(event.stack, event, stack in out))
    return found
