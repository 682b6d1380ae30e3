"""A runbook, and the one way that each is taken: look, plan, approval, look again, perform, report."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID

from prefect import Flow
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.flow_engine import FlowRunTimeoutError
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from blocks.remote.errors import Refused, RunbookError
from blocks.remote.secrets import install_mask, mask
from blocks.site import Site
from tasks.engine.approval import approved_beforehand, ask_approval
from tasks.engine.checks import Check, unforeseen
from tasks.engine.heartbeat import Heartbeat
from tasks.engine.hooks import Hooks
from tasks.engine.journal import Journal, now
from tasks.engine.locks import locked
from tasks.engine.plan import Plan, plan_of
from tasks.engine.report import publish
from tasks.engine.run import Run, TakeUp
from tasks.engine.scheduled_runs import later_run
from tasks.engine.site import hosts_of, load_site
from tasks.engine.steps import Steps

P = ParamSpec("P")
J = TypeVar("J")
# What a runbook works on, by the site and the run's parameters: groups of the inventory, first the one whose first host keeps
# the journal. All of their hosts are locked, and known to the hooks. None: the cloud's API alone.
HostsOf = Callable[[Site, Mapping[str, Any]], Sequence[str]]
_AT_ONCE = 16


def _nothing(_: object) -> str:
    return ""


def _afterwards(_: object) -> None:
    return


@dataclass(frozen=True)
class Work(Generic[J]):
    """What a runbook does with what it was asked for.

    Attributes:
        look: Looks at everything, and returns what the steps are made from; what it looks at, it adds to the run's checks. It
            is called again after an approval.
        procedure: The steps, in the order in which they are taken. None: looking is all that is done. Then no lock is taken, and
            the run fails where a check is not ok.
        summary: What is done, in a sentence, for log, report and approval.
        destroys: What must be approved; empty where nobody needs to be asked.
        approve_node: The node whose name must be typed to approve it; empty for the site's.
        take_up: Where the work is taken up; None for the run's own new journal.
        conclude: Called once all is done and on record; may raise what the run is to end with.
    """

    look: Callable[[Run], J]
    procedure: Callable[[Steps, J], None] | None
    summary: Callable[[J], str] = _nothing
    destroys: Callable[[J], str] = _nothing
    approve_node: Callable[[J], str] = _nothing
    take_up: Callable[[J], TakeUp] | None = None
    conclude: Callable[[J], None] = _afterwards


def runbook(
    name: str, *, hosts: HostsOf | None = None, timeout_s: int
) -> Callable[[Callable[P, Work[Any]]], Flow[P, Any]]:
    """Make a flow of a function that says what is done with the flow's parameters.

    The function's parameters are the flow's; among them are `site` and `dry_run`, and `approved_by` where something is
    destroyed. Hosts that `without` names are left out. With `wait_s` among them, a run waits so many seconds while another
    runbook is at work on the site. A refusal or a failed step is the message of the run's state. Of scheduled runs that are
    late, the latest alone is carried out.

    Args:
        name: The runbook's, the flow's and the deployment's name.
        hosts: The groups of the inventory that it works on; None for the cloud's API alone.
        timeout_s: Seconds until Prefect ends a run.
    """

    def decorate(ask: Callable[P, Work[Any]]) -> Flow[P, Any]:
        @functools.wraps(ask)
        def body(*args: P.args, **kwargs: P.kwargs) -> State[Any] | None:
            asked = inspect.signature(ask).bind(*args, **kwargs)
            asked.apply_defaults()
            install_mask()
            if later := later_run(str(flow_run.id), now()):
                return Completed(
                    name="Skipped", message=f"{later} is due as well, and does what this one would have done"
                )
            try:
                carry_out(name, hosts, ask(*args, **kwargs), asked.arguments)
            except RunbookError as error:
                return _failed(error)
            return None

        # Prefect reads the parameters' types; as text, they would be looked up in this module.
        body.__signature__ = inspect.signature(ask, eval_str=True)  # type: ignore[attr-defined]
        hooks = Hooks(hosts)
        return Flow(
            body,
            name=name,
            flow_run_name=_run_name,
            task_runner=ThreadPoolTaskRunner(max_workers=_AT_ONCE),  # type: ignore[arg-type]
            on_cancellation=[hooks.cancelled],
            on_crashed=[hooks.crashed],
            persist_result=False,
            timeout_seconds=timeout_s,
        )

    return decorate


def _run_name() -> str:
    """What a run is called in the lists: by what it does."""
    dry = " (dry run)" if flow_run.parameters.get("dry_run") else ""
    return f"{flow_run.flow_name} on {flow_run.parameters.get('site')}{dry}"


def _failed(error: RunbookError) -> State[Any]:
    """The run's last state, with what the operator must read as its message."""
    message = mask(str(error))
    logger = get_run_logger()
    logger.debug("where it was raised", exc_info=error)
    logger.error("%s", message)
    # The error itself goes with it: what Prefect makes of a state without one is an error of its own, with a traceback.
    return Failed(message=message, data=RunbookError(message))


def carry_out(name: str, hosts: HostsOf | None, work: Work[J], parameters: Mapping[str, Any]) -> None:
    """Take a runbook from the first look to its report.

    Args:
        name: The runbook's name.
        hosts: The groups of the inventory that it works on; None for the cloud's API alone.
        work: What it does.
        parameters: The flow's.

    Raises:
        RunbookError: The site is unknown; preflight refuses; nobody approved; a step failed; what `work.conclude` raises.
    """
    if work.procedure is None:
        _inspect(name, hosts, work, parameters)
        return
    dry_run = bool(parameters.get("dry_run"))
    with open_run(name, hosts, parameters, dry_run) as run:
        found, plan = _look(run, work)
        run.show_plan(plan)
        if dry_run:
            _tell(run, work.summary(found))
            return
        found = _approved(run, work, found, plan, parameters.get("approved_by"))
        _tell(run, work.summary(found))
        run.begin(work.take_up(found) if work.take_up else TakeUp(run.journal), str(flow_run.id))
        _procedure(work)(run, found)
        run.finish()
        work.conclude(found)


def _inspect(name: str, hosts: HostsOf | None, work: Work[J], parameters: Mapping[str, Any]) -> None:
    """Look at everything, change nothing, and fail where anything is wrong.

    Raises:
        RunbookError: With every check that is not ok.
    """
    with open_run(name, hosts, parameters, dry_run=True) as run:
        run.journal.finished = True

        def look() -> None:
            try:
                work.look(run)
            except RunbookError as error:
                run.checks += Check.of(error, "site")

        Task(look, name="look", task_run_name="look", cache_policy=NO_CACHE, persist_result=False)()
        if reasons := run.reasons:
            listed = "\n".join(f"  - {reason}" for reason in reasons)
            raise RunbookError(f"{len(reasons)} of {len(run.checks)} checks are not ok:\n{listed}")


def _tell(run: Run, summary: str) -> None:
    """Say in log and report what is done, or would be."""
    if summary:
        run.facts.append(summary)
        get_run_logger().info("%s", mask(summary))


def _procedure(work: Work[J]) -> Callable[[Steps, J], None]:
    assert work.procedure is not None, "a runbook that only looks has no steps"
    return work.procedure


def _look(run: Run, work: Work[J]) -> tuple[J, Plan]:
    """Look at everything, as one Prefect task, and make the plan of what is found."""

    def look() -> tuple[J, Plan]:
        try:
            found = work.look(run)
            run.refuse_if_any()
            return found, plan_of(_procedure(work), found)
        except (RunbookError, FlowRunTimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - nothing has been changed: it is told with all else
            run.checks.append(unforeseen(error, "preflight"))
            raise Refused(run.name, run.reasons) from None

    task = Task(look, name="preflight", task_run_name="preflight", cache_policy=NO_CACHE, persist_result=False)
    return task()


def _approved(run: Run, work: Work[J], found: J, plan: Plan, approved_by: str | None) -> J:
    """Ask for approval where something is destroyed, and look again: an hour may have passed.

    Returns:
        What the steps are made from: what was seen after the approval, and is as it was shown.
    """
    beforehand = approved_beforehand(approved_by)
    shown = work.destroys(found)
    if not shown:
        return found
    if beforehand:
        run.facts.append(_approval(beforehand, shown, work.summary(found)))
        return found
    changed = ""
    while True:
        approver = ask_approval(run.site.site, f"{changed}{shown}\n\n{plan.text()}", work.approve_node(found))
        before = f"{shown}\n{plan.text()}"
        run.checks.clear()  # what was seen before the approval
        found, plan = _look(run, work)
        shown = work.destroys(found)
        if f"{shown}\n{plan.text()}" == before:
            run.facts.append(_approval(approver, shown, work.summary(found)))
            run.plan = plan.text()
            return found
        changed = f"What was approved by {approver} is no longer so:\n{_difference(before, shown, plan)}\n\n"
        run.show_plan(plan)


def _approval(by: str, shown: str, summary: str) -> str:
    """Who approved what, for the report; where the summary says that already, who."""
    return f"approved by {by}" if shown == summary else f"approved by {by}: {shown}"


def _difference(before: str, shown: str, plan: Plan) -> str:
    after = f"{shown}\n{plan.text()}"
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "as approved", "as it is now", n=0, lineterm=""
    )
    return "\n".join(lines)


@contextmanager
def open_run(name: str, hosts: HostsOf | None, parameters: Mapping[str, Any], dry_run: bool) -> Iterator[Run]:
    """Open a run: load the site, take the locks, and at the end write the report and let go of everything.

    Args:
        name: The runbook's name.
        hosts: The groups of the inventory that it works on; None for the cloud's API alone.
        parameters: The flow's.
        dry_run: Take no lock, change nothing.

    Yields:
        The run. A lock that is taken is one of its checks, to be told together with preflight's.

    Raises:
        RunbookError: The site, or one of its groups, is unknown; and whatever is raised within.
    """
    install_mask()
    site = str(parameters["site"])
    where = load_site(site)
    chosen = hosts_of(where, hosts(where, parameters), parameters.get("without") or ()) if hosts else []
    run_id = str(flow_run.id)
    journal = Journal(runbook=name, site=site, run_id=run_id, started=now())
    run = Run(name, where, {host.name: where.shell(host) for host in chosen}, dry_run, journal)
    run.cloud = where.cloud.client() if where.cloud else None
    outcome, error = "completed", ""
    with ExitStack() as stack:
        stack.callback(run.close)
        try:
            if not dry_run:
                holder = f"{name} on {site}, flow run {flow_run.name} ({run_id})"
                run.heartbeat = _locks(run, stack, holder, float(parameters.get("wait_s", 0)))
            stack.enter_context(run.resources)
            yield run
            # Looking alone finishes, though nothing may change.
            outcome = "dry run" if dry_run and not run.journal.finished else "completed"
        except Refused as refusal:
            outcome, error = "refused", str(refusal)
            raise
        except Exception as failure:
            outcome, error = "failed", _with_what_stands(failure, run.journal)
            if isinstance(failure, RunbookError):
                raise RunbookError(mask(error)) from failure
            raise
        finally:
            # A signal (cancel, crash) leaves the report to the hooks, which read the journal in a process of their own.
            if outcome != "completed" or run.journal.finished:
                only_looked = dry_run and run.journal.finished
                checks = run.checks if only_looked or outcome in {"dry run", "refused"} else ()
                publish(run.journal, outcome, error, run.facts, run.plan if outcome == "dry run" else "", checks)


def _locks(run: Run, stack: ExitStack, holder: str, wait_s: float) -> Heartbeat | None:
    try:
        return stack.enter_context(locked(run.site.site, UUID(str(flow_run.id)), holder, run.hosts, wait_s))
    except RunbookError as error:
        # An unreachable host can't be locked: preflight says so too, with all else that is wrong.
        run.checks += Check.of(error, "lock")
        return None


def _with_what_stands(failure: Exception, journal: Journal) -> str:
    """The error, with what stands and where the old data is."""
    said = str(failure) if isinstance(failure, RunbookError) else f"{type(failure).__name__}: {failure}"
    lines = [said, *(f"STILL IN FORCE: {sentence}" for sentence in journal.in_force.values())]
    lines += [f"KEPT: {what}: {where}" for what, where in journal.kept.items()]
    return "\n".join(lines)
