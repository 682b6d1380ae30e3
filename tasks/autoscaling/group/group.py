"""A scaling group as it stands: its members, its alarms, what made it grow or shrink."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import NotFound
from tasks.heat.events import Event
from tasks.heat.stack import Resource, Stack, parse_time, read_resources
from tasks.telemetry.alarms import Alarm, read_alarms

_SERVER = "OS::Nova::Server"
_ALARM_TYPES = ("OS::Aodh::", "OS::Ceilometer::")


@dataclass(frozen=True)
class Server:
    """A server of Nova.

    Attributes:
        id: Its UUID.
        name: Its name.
        status: `BUILD`, `ACTIVE`, `ERROR`, …
        fixed: Addresses in its networks.
        floating: Floating addresses.
        fault: Why it is in ERROR.
        vcpus: How many it has; 0 where Nova's listing does not say (before its microversion 2.47).
        flavor: Id of its flavor, where the listing says that instead.
    """

    id: str
    name: str
    status: str
    fixed: tuple[str, ...]
    floating: tuple[str, ...]
    fault: str = ""
    vcpus: int = 0
    flavor: str = ""

    @property
    def address(self) -> str:
        """Where it is reached from outside: its floating address, else the fixed one; empty while it has none."""
        return next(iter((*self.floating, *self.fixed)), "")


@dataclass(frozen=True)
class Member:
    """A member of a group.

    Attributes:
        name: Heat's name for it within the group.
        status: Of Heat's resource: a member counts from `CREATE_IN_PROGRESS` on.
        server: Its server; None until Nova has it, or once it is gone.
    """

    name: str
    status: str
    server: Server | None

    @property
    def ready(self) -> bool:
        """Whether Heat has finished it and Nova runs it."""
        running = self.server is not None and self.server.status == "ACTIVE"
        return running and self.status.endswith("_COMPLETE") and not self.status.startswith("DELETE")

    @property
    def settled(self) -> bool:
        """Whether Heat is not at work on it."""
        return not self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True)
class Group:
    """A scaling group.

    Attributes:
        name: Of its resource.
        stack: `name/id` of the stack that holds the members.
        members: In the order of Heat's listing; those being deleted are still among them.
    """

    name: str
    stack: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """How many members there are, being made or ready; those on their way out do not count."""
        return sum(not member.status.startswith("DELETE") for member in self.members)


@dataclass(frozen=True)
class Activity:
    """Why a group would do nothing about a signal: Heat drops it, answers 200, and leaves no event.

    Attributes:
        scaling: Whether it is at work on an earlier signal.
        cooldown_ends: Until when it does nothing; None where it never scaled.
        last: What it did last (`change_in_capacity : 1`).
    """

    scaling: bool
    cooldown_ends: datetime | None
    last: str


@dataclass(frozen=True)
class ScalingEvent:
    """Something that a group did, or was told to do.

    Attributes:
        at: When, to the second.
        kind: `signal` to a policy (one that came within the cooldown leaves no event), or what became of a member.
        name: The policy or the member.
        reason: Heat's words: for a signal the alarm's state and why, or that it came without details.
    """

    at: datetime
    kind: Literal["signal", "added", "removed", "failed"]
    name: str
    reason: str

    @property
    def by_alarm(self) -> bool:
        """Whether an alarm gave the signal, and not somebody with the webhook's address."""
        return self.kind == "signal" and self.reason.startswith("alarm state changed")


def parse_server(body: Mapping[str, Any]) -> Server:
    """Read a server as Nova lists it in detail."""
    addresses = [address for network in (body.get("addresses") or {}).values() for address in network]

    def of(kind: str) -> tuple[str, ...]:
        return tuple(address["addr"] for address in addresses if address.get("OS-EXT-IPS:type", "fixed") == kind)

    fault = (body.get("fault") or {}).get("message") or ""
    flavor = body.get("flavor") or {}
    return Server(
        id=body["id"],
        name=body["name"],
        status=body["status"],
        fixed=of("fixed"),
        floating=of("floating"),
        fault=fault,
        vcpus=int(flavor.get("vcpus") or 0),
        flavor=str(flavor.get("id") or ""),
    )


def read_servers(cloud: Cloud, ids: Iterable[str]) -> dict[str, Server]:
    """Read servers by their ids, in one call; those that Nova no longer has are left out.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    wanted = set(ids)
    if not wanted:
        return {}
    with cloud.request("list the servers") as sdk:
        listed = [server.to_dict(original_names=True, computed=False) for server in sdk.compute.servers()]
    return {body["id"]: parse_server(body) for body in listed if body["id"] in wanted}


def read_vcpus(cloud: Cloud, servers: Iterable[Server]) -> set[int]:
    """Read how many vCPUs servers have, each number once.

    Raises:
        CloudError, Stopped: As `Cloud.request`; `NotFound` where the flavor of one was deleted since.
    """
    listed = list(servers)
    with cloud.request("read the members' flavor") as sdk:
        by_flavor = {
            name: int(sdk.compute.get_flavor(name).vcpus)
            for name in {server.flavor for server in listed if not server.vcpus}
        }
    return {server.vcpus or by_flavor[server.flavor] for server in listed}


def read_group(cloud: Cloud, stack: Stack, name: str, resources: Sequence[Resource] | None = None) -> Group:
    """Read a group and its members' servers: two calls.

    Args:
        cloud: Where.
        stack: The stack that has the group.
        name: The group's resource.
        resources: Those of the stack, where they have just been read.

    Raises:
        NotFound: The stack has no such group.
        CloudError, Stopped: As `Cloud.request`.
    """
    listed = read_resources(cloud, stack) if resources is None else resources
    group = _find_group(cloud, stack, name, listed)
    members = [resource for resource in listed if resource.stack == group.nested and group.nested]
    ids = {member.name: _server_id(member, listed) for member in members}
    servers = read_servers(cloud, filter(None, ids.values()))
    return Group(
        name,
        group.nested,
        tuple(Member(member.name, member.status, servers.get(ids[member.name])) for member in members),
    )


def _find_group(cloud: Cloud, stack: Stack, name: str, resources: Sequence[Resource]) -> Resource:
    own = [resource for resource in resources if resource.stack == f"{stack.name}/{stack.id}"]
    for resource in own:
        if resource.name == name:
            return resource
    names = ", ".join(f"{resource.name} ({resource.type})" for resource in own) or "none"
    raise NotFound(cloud.name, f"stack {stack.name} has no group {name!r}; its resources are {names}")


def _server_id(member: Resource, resources: Sequence[Resource]) -> str:
    """The id of a member's server: the member itself, or somewhere within its nested stack."""
    return next((resource.physical_id for resource in _subtree(member, resources) if resource.type == _SERVER), "")


def _subtree(resource: Resource, resources: Sequence[Resource]) -> Iterator[Resource]:
    yield resource
    if resource.nested:
        for inner in resources:
            if inner.stack == resource.nested:
                yield from _subtree(inner, resources)


def parse_activity(metadata: Mapping[str, Any]) -> Activity:
    """Read what Heat notes on a group (heat/scaling/cooldown.py)."""
    ends, last = next(iter((metadata.get("cooldown_end") or {}).items()), ("", ""))
    return Activity(bool(metadata.get("scaling_in_progress")), parse_time(ends) if ends else None, last)


def read_activity(cloud: Cloud, stack: Stack, name: str) -> Activity:
    """Read whether a group is at work or in its cooldown.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    path = f"{stack.path}/resources/{name}/metadata"
    return parse_activity(cloud.get(f"read the state of group {name}", "orchestration", path)["metadata"])


def read_group_alarms(cloud: Cloud, stack: Stack, resources: Sequence[Resource] | None = None) -> dict[str, Alarm]:
    """Read the alarms that a stack made, by the names of their resources.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    listed = read_resources(cloud, stack) if resources is None else resources
    names = {
        resource.physical_id: resource.name
        for resource in listed
        if resource.type.startswith(_ALARM_TYPES) and resource.physical_id
    }
    return {names[alarm.id]: alarm for alarm in read_alarms(cloud, names)}


def scaling_events(events: Iterable[Event], group: Group) -> Iterator[ScalingEvent]:
    """Pick from a stack's events those of scaling."""
    for event in events:
        member = f"{event.stack}/{event.stack_id}" == group.stack and event.resource != event.stack
        if event.status.startswith("SIGNAL_"):
            yield ScalingEvent(event.at, "signal", event.resource, event.reason)
        elif member and event.status.endswith("_FAILED"):
            yield ScalingEvent(event.at, "failed", event.resource, event.reason)
        elif member and event.status in {"CREATE_COMPLETE", "DELETE_COMPLETE"}:
            yield ScalingEvent(
                event.at, "added" if event.status == "CREATE_COMPLETE" else "removed", event.resource, event.reason
            )
