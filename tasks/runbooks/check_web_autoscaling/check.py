"""The check of a web farm: that of a group, seen through its balancer."""

from __future__ import annotations

import requests

from blocks.remote.cloud import Cloud
from blocks.remote.connection import Watch
from blocks.remote.errors import Refused
from blocks.remote.waiting import wait_until
from tasks.autoscaling.group.website import Visitor
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.autoscaling.watching.web_watch import WebWatch
from tasks.heat.outputs import read_outputs
from tasks.heat.stack import find_stack
from tasks.runbooks.check_autoscaling.check import ScalingCheck, observer_of

# The output of the document's template that says where the page is (AS 1.3 step 2).
_OUTPUT = "website_url"


class WebScalingCheck(ScalingCheck):
    """A check with a visitor, who comes once the page is there and goes at the end.

    Args:
        job: What is checked.
        members: Shells on the members.
    """

    def _start(self, cloud: Cloud, watch: Watch) -> GroupWatch:
        stack = find_stack(cloud, self._job.stack_name)
        found = read_outputs(cloud, stack).get(_OUTPUT) if stack else None
        if found is None or not isinstance(found.value, str):
            raise Refused(
                self._job.runbook, [f"stack {self._job.stack_name} has no output {_OUTPUT} with the page's address"]
            )
        visitor = Visitor(found.value)
        wait_until(
            self._job.cloud.name,
            f"the page at {found.value}",
            "served",
            lambda: _served(visitor),
            self._job.intervals.settle_s,
            every_s=2,
            hint="see whether the members' web server runs, and what the pool says of them",
        )
        watch.line(f"{found.value} is served")
        self._open.enter_context(visitor)
        visitor.start_counting()
        observer = observer_of(cloud, self._job, self._members, visitor.was_served_by)
        return WebWatch(observer, self._job.thresholds_percent, self._job.intervals.settle_s, visitor=visitor)


def _served(visitor: Visitor) -> str:
    try:
        visitor.get_page()
    except requests.RequestException as error:
        return type(error).__name__
    return "served"
