"""Steps 4a, 21 and 23 to 25 of restore-galera: what Pacemaker has begun ends, and the cluster is handed over to it.

The document stops the cluster and has Pacemaker start it. By default Pacemaker adopts it as it runs; where it does not within
its time, and where the operator asks for it (`ending=restart`), the steps are taken as documented.
"""

from __future__ import annotations

from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.engine.steps import Steps
from tasks.node import pacemaker, podman
from tasks.runbooks.restore_galera.job import Job

# An operation of Pacemaker's that is under way when the resource is taken out of its hands ends within its own time-out,
# which is two minutes by default.
_SETTLE_S = 130
# A start or a promotion that goes well has mostly ended by then.
_START_S = 5
# Pacemaker looks at a container again when it is asked: seen to take two seconds.
_SEE_S = 60
# Seen to take two seconds; asked to look again while it looks, Pacemaker begins anew.
_BY_ITSELF_S = 15


def hand_over(steps: Steps, job: Job) -> None:
    """Steps 21 and 23 to 25: Pacemaker adopts the cluster as it runs, or starts it anew as documented.

    Args:
        steps: Who walks through them.
        job: What is restored.
    """
    if job.request.ending == "restart":
        _restart(steps, job)
        return
    steps.skip("21", "Stop the MySQL container", "Pacemaker adopts the running cluster")
    steps.skip("23", "Restart the MySQL container", "Pacemaker adopts the running cluster")
    _restart_checks(steps, job)
    manage = pacemaker.manage_until_connected(job.facts.bundle, job.bounds.adopt_s)

    def adopt() -> None:
        steps.step(
            "25", "Set the Galera resource to managed mode", job.first, manage, always=job.fenced, lifts=job.unmanaged
        )
        _await_adoption(steps, job)

    def restart() -> None:
        steps.step(
            "25c",
            "Set the Galera resource to unmanaged mode again",
            job.first,
            pacemaker.unmanage(job.facts.bundle),
            always=True,
            raises=job.unmanaged,
        )
        settle(steps, job, "25e", always=True)
        _restart(steps, job, always=True)

    steps.fall_back(adopt, restart, "Pacemaker did not adopt the running cluster, so it is restarted as documented")


def _await_adoption(steps: Steps, job: Job) -> None:
    """Pacemaker looks at what runs once it is connected again; what it still holds against a replica, a refresh clears."""
    bundle, bounds = job.facts.bundle, job.bounds
    by_itself = pacemaker.adopt(bundle, min(_BY_ITSELF_S, bounds.adopt_s))
    refresh = pacemaker.refresh(bundle, bounds.adopt_s)
    steps.fall_back(
        lambda: steps.step("25a", "Let Pacemaker adopt the running cluster", job.first, by_itself, always=job.fenced),
        lambda: steps.step("25b", "Let Pacemaker look again at what runs", job.first, refresh, always=job.fenced),
        "Pacemaker did not find the running cluster by itself, so it is asked to look again",
    )


def _restart(steps: Steps, job: Job, always: bool = False) -> None:
    """Steps 21 and 23 to 25 as documented; the bootstrap node is the last to stop, so that it is safe to bootstrap.

    Args:
        steps: Who walks through them.
        job: What is restored.
        always: Take each of them, also where an earlier attempt did: since then the cluster was formed again.
    """
    last_first = [*job.rest, *job.first]

    def shut_down(host: Shell) -> Change:
        return job.server(host).shut_down(job.bounds.start_s)

    steps.step("21", "Stop the MySQL container", last_first, shut_down, one_at_a_time=True, always=always)
    steps.step(
        "23",
        "Restart the MySQL container",
        job.hosts,
        lambda host: podman.restart(job.server(host).container),
        always=always,
    )
    _restart_checks(steps, job, always)
    manage = pacemaker.manage_until_promoted(job.facts.bundle, job.bounds.promote_s)
    steps.step(
        "25", "Set the Galera resource to managed mode", job.first, manage, always=job.fenced, lifts=job.unmanaged
    )


def _restart_checks(steps: Steps, job: Job, always: bool = False) -> None:
    """Steps 24 and 24a: clustercheck, and what Pacemaker knows of the containers."""
    steps.step(
        "24",
        "Restart the clustercheck container",
        job.hosts,
        lambda host: podman.restart_service(job.facts.checks[host.name]),
        always=always,
    )
    steps.step(
        "24a",
        "Let Pacemaker see that the MySQL containers run",
        job.hosts,
        lambda host: pacemaker.refresh_container(job.facts.bundle, job.server(host).container, _SEE_S),
        always=job.fenced,
    )


def settle(steps: Steps, job: Job, number: str, always: bool) -> None:
    """What Pacemaker has begun with the databases is over before anything is taken away that it works on.

    Args:
        steps: Who walks through them.
        job: What is restored.
        number: The step's number: 4a, or 25e where the resource is unmanaged again.
        always: Take it also where an earlier attempt did.
    """
    steps.step(
        number,
        "Let Pacemaker end what it has begun",
        job.hosts,
        lambda host: pacemaker.settle(job.facts.bundle, job.server(host).container, _START_S, _SETTLE_S),
        always=always,
    )
