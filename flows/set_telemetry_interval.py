"""set-telemetry-interval: how often Ceilometer polls CPU, changed or put back.

Source: Red Hat OpenStack Platform 8, "Auto Scaling for Compute", section 1.2, steps 4 and 5, and 1.3, steps 3 and 4.
Where a step departs from it, `set_telemetry_interval.departures.toml` says so and why.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.engine.run import TakeUp
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.set_telemetry_interval.polling_change import PollingChange, look
from tasks.telemetry import polling

NAME = "set-telemetry-interval"
# On TripleO the agent that polls instances runs beside them.
_ROLE = "Compute"


@runbook(NAME, hosts=lambda _, parameters: [str(parameters.get("role", _ROLE))], timeout_s=3600)
def set_telemetry_interval(
    site: Annotated[str, Field(min_length=1)],
    interval_s: Annotated[int, Field(ge=polling.SHORTEST_S, le=polling.LONGEST_S)] = 60,
    role: Annotated[str, Field(min_length=1)] = _ROLE,
    put_back: bool = False,
    dry_run: bool = False,
) -> Work[PollingChange]:
    """Set how often Ceilometer polls CPU on the hosts of a role, and restart the agents that read it.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        interval_s: Seconds between two polls. 300 is what Ceilometer ships; less is load on the control plane.
        role: The inventory group of the hosts that poll instances.
        put_back: Put the file back that this runbook kept when it changed the interval last; `interval_s` is ignored.
        dry_run: Check everything and show the plan; change nothing.
    """
    return Work(
        look=lambda run: look(run, interval_s, put_back),
        procedure=procedure,
        summary=lambda job: job.summary,
        take_up=lambda job: TakeUp(job.journal),
    )


def procedure(steps: Steps, job: PollingChange) -> None:
    """The two steps.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is set where.
    """
    for sentence in job.warnings:
        steps.report_finding(sentence)

    def change(host: Shell) -> Change:
        return job.change(host.name)

    verb = "Put back" if job.put_back else "Update"
    steps.step("4", f"{verb} the Telemetry collection interval", job.hosts, change)
    if job.nothing_to_do:
        steps.skip("5", "Restart what reads it", "every host has this interval already")
        return
    # One host after the other: a poll that is missed everywhere at once is a gap in every alarm.
    for number, agent in enumerate(job.agent_names, 1):
        steps.step(
            f"5.{number}" if len(job.agent_names) > 1 else "5",
            f"Restart {agent}",
            job.with_agent(agent),
            job.restart(agent),
            one_at_a_time=True,
        )
