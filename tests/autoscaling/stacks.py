"""A stack that stands while several checks look at it: rested before each, and touched as an operator might."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.heat.stack import DEPTH, Resource, parse_resource
from tests.autoscaling.runbooks import SITE, Ended, Runbooks
from tests.lab.shell import wait_until
from tests.openstack.servers import cpu

_REST_S = 150


@dataclass
class Standing:
    """A stack with a group.

    Attributes:
        project: A connection as the project's user.
        name: The stack's name.
        parameters: What it was made from.
        making: The run that made it.
    """

    project: Any
    name: str
    parameters: dict[str, Any]
    making: Ended

    @classmethod
    @contextmanager
    def made(
        cls, runbooks: Runbooks, name: str, template: str, site: str = SITE, **parameters: Any
    ) -> Iterator[Standing]:
        """Make it with deploy-stack, and have Heat remove it in the end, which nobody waits for."""
        project = runbooks.cloud.connect()
        wanted = {"stack_name": name, "template": template, "stack_parameters": parameters}
        making = runbooks.run("deploy-stack", site=site, **wanted)
        try:
            assert making.code == 0, making.output[-3000:]
            yield cls(project, name, parameters, making)
        finally:
            project.delete_stack(name)

    def _resources(self) -> list[Resource]:
        # The SDK leaves nested_depth away.
        heat = self.project.orchestration
        path = f"/stacks/{self.name}/{heat.find_stack(self.name, ignore_missing=False).id}/resources"
        return [parse_resource(resource) for resource in heat.get(f"{path}?nested_depth={DEPTH}").json()["resources"]]

    def servers(self) -> list[str]:
        """The ids of its servers."""
        return [
            resource.physical_id
            for resource in self._resources()
            if resource.type == "OS::Nova::Server" and resource.physical_id
        ]

    def rest(self, measured: bool = True) -> None:
        """Wait until it is at its minimum of one member, with nothing under way.

        Args:
            measured: Whether its measures must be fresh, too.
        """
        wait_until(f"{self.name} did not come to rest", lambda: self._unrest(measured), _REST_S, interval=1)

    def _unrest(self, measured: bool) -> str:
        unfinished, servers = self._unfinished(), self.servers()
        if unfinished or len(servers) != 1:
            return f"{len(servers)} servers, unfinished: {unfinished}"
        return self._restless(servers[0]) if measured else ""

    def _restless(self, server: str) -> str:
        granularity_s = int(self.parameters["granularity"])
        seen = cpu(self.project, server, granularity_s)
        if not seen:
            return "no measure"
        age = datetime.now(UTC) - datetime.fromisoformat(seen[-1][0])
        if age > timedelta(seconds=2 * granularity_s + 5):
            return f"the newest measure is {age.total_seconds():.0f} s old"
        # What a metricd that was stopped still had to work off may bring an alarm back.
        busy = [value for _, value in seen[-2:] if value > granularity_s * 1e9 / 10]
        if busy:
            return f"of the two newest measures these are of a load: {busy}"
        return "" if self._alarm("high")["state"] != "alarm" else "the high alarm is up"

    def _alarm(self, name: str) -> dict[str, Any]:
        (alarm,) = [resource.physical_id for resource in self._resources() if resource.name == f"cpu_alarm_{name}"]
        answer = self.project.session.get(f"{self._aodh}/v2/alarms/{alarm}")
        body: dict[str, Any] = answer.json()
        return body

    @property
    def _aodh(self) -> str:
        return str(self.project.session.get_endpoint(service_type="alarming"))

    @contextmanager
    def threshold_times(self, factor: float) -> Iterator[None]:
        """Change the high alarm's threshold where Aodh has it, as `openstack alarm update` does, and change it back."""
        right = self._alarm("high")
        kind = f"{right['type']}_rule"
        wrong = {**right, kind: {**right[kind], "threshold": right[kind]["threshold"] * factor}}
        self._put(wrong)
        try:
            yield
        finally:
            self._put(right)

    def _put(self, alarm: dict[str, Any]) -> None:
        self.project.session.put(f"{self._aodh}/v2/alarms/{alarm['alarm_id']}", json=alarm)

    def fill(self, size: int) -> None:
        """Call the webhook to scale up, again and again where the group is busy or cools down, until it is of a size."""
        stack = self.project.orchestration.get_stack(
            self.project.orchestration.find_stack(self.name, ignore_missing=False).id
        )
        (url,) = [output["output_value"] for output in stack.outputs if output["output_key"] == "scale_up_url"]

        def look() -> str:
            there, unfinished = len(self.servers()), self._unfinished()
            if there == size and not unfinished:
                return ""
            if not any(status.endswith("_IN_PROGRESS") for status in unfinished.values()):
                self.project.session.post(url, authenticated=False)
            return f"{there} servers, unfinished: {unfinished}"

        wait_until(f"{self.name} did not grow", look, 60, interval=1)

    def _unfinished(self) -> dict[str, str]:
        return {
            resource.name: resource.status
            for resource in self._resources()
            if not resource.status.endswith("_COMPLETE")
        }
