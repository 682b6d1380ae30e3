"""What a check of a scaling group is made from, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from prefect.artifacts import create_markdown_artifact

from blocks.cloud import CloudAccess
from blocks.remote.cloud import Cloud
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.secrets import mask
from blocks.state import state_directory
from tasks.change import Call, Change, Watch
from tasks.deploy import job as stack_job
from tasks.heat.stack import TAG, Stack, find_left, find_stack
from tasks.journal import Outcome
from tasks.perform import preflight_task
from tasks.runbook import Runbook
from tasks.scaling import picture
from tasks.scaling.findings import WEIGHT
from tasks.scaling.members import Members
from tasks.scaling.observer import Observer
from tasks.scaling.settings import read_settings
from tasks.scaling.timeline import Levels, Timeline
from tasks.scaling.verdict import Verdict, judge
from tasks.scaling.watch import GroupWatch
from tasks.telemetry.thresholds import Timing


class CheckNotPassed(RunbookError):
    """The group did not scale as it should, or nobody can say."""


@dataclass(frozen=True)
class Intervals:
    """What no API tells a project: how often telemetry looks.

    Attributes:
        polling_s: Ceilometer's, of the source that polls CPU.
        evaluation_s: Aodh's.
        processing_s: From a poll until Gnocchi answers with it.
        settle_s: What a member may take until it is active, reached and loaded, or until it is gone.
    """

    polling_s: float
    evaluation_s: float
    processing_s: float
    settle_s: float


@dataclass(frozen=True)
class Job:
    """What is checked where.

    Attributes:
        cloud: The place of the steps.
        runbook: Name of the runbook: the tag of a stack that is its own.
        stack: The stack that is there; None where it is made first.
        left: Whether that is what an earlier run of this runbook has left, to be removed first.
        made: What the stack is made from; None where it stands and is not ours.
        stack_name: The stack's name.
        percent: The thresholds in percent of all vCPUs of a member.
        intervals: How often telemetry looks.
    """

    cloud: CloudAccess
    runbook: str
    stack: Stack | None
    left: bool
    made: stack_job.Job | None
    stack_name: str
    percent: Levels
    intervals: Intervals

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of a stack that this runbook makes."""
        return (TAG, self.runbook)


def preflight(book: Runbook, request: stack_job.Request, intervals: Intervals) -> Job:
    """Look at the cloud and at the stack, and refuse with the complete list.

    A stack of that name that is not this runbook's own is checked as it is; one that is, an earlier run has left: it is
    removed and made anew. Where there is none, it is made.

    Raises:
        Refused: With every reason.
    """
    return preflight_task(lambda: _look(book, request, intervals))


def _look(book: Runbook, request: stack_job.Request, intervals: Intervals) -> Job:
    access, cloud = stack_job.the_cloud(book)
    others: list[str] = []
    try:
        stack = find_stack(cloud, request.stack_name)
        left = stack is not None and book.name in stack.tags
        made = None if stack is not None and not left else stack_job.prepare(book, access, cloud, request)
        if stack is not None and not left:
            read_settings(cloud, stack, book.name)
        others = [one.name for one in find_left(cloud, book.name) if one.name != request.stack_name]
    except Refused as refusal:
        book.reasons += [reason for reason in refusal.reasons if reason not in book.reasons]
    except RunbookError as error:
        book.reasons.append(str(error))
    book.refuse_if_any()
    for name in others:
        book.find(
            f"stack {name} bears this runbook's tag: an earlier run was told to keep it, or was killed. Remove it with "
            f"`openstack stack delete {name}`, or check again with stack_name={name}, which makes it anew"
        )
    high, low = stack_job.percents(request)
    return Job(access, book.name, stack, left, made, request.stack_name, Levels(high, low), intervals)


class Check:
    """The check itself: its steps share what was seen.

    Args:
        job: What is checked.
        members: Shells on the members.
    """

    def __init__(self, job: Job, members: Members) -> None:
        self._job, self._members = job, members
        self._watch: GroupWatch | None = None
        self._open = ExitStack()
        self.verdict: Verdict | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def _group(self) -> GroupWatch:
        assert self._watch is not None, "the group was read first"
        return self._watch

    def read(self) -> Change[Cloud]:
        """Read how the group is meant to scale, and see that it is at its minimum."""

        def do(cloud: Cloud, watch: Watch) -> Outcome:
            self._watch = self._start(cloud, watch)
            self._watch.begin()
            self._watch.wait_at_minimum(watch)
            return "done"

        return Change((Call(f"openstack stack resource list --nested-depth 5 {self._job.stack_name}", do),))

    def grow(self) -> Change[Cloud]:
        """Load every member, and watch the group grow; whatever ends the watching, the loads are ended."""

        def do(_: Cloud, watch: Watch) -> Outcome:
            try:
                self._group.grow(watch)
            except BaseException:
                self._group.end_loads(watch)
                raise
            return "done"

        return Change((Call("ssh MEMBER 'timeout … dd if=/dev/zero of=/dev/null &', as many as it has vCPUs", do),))

    def shrink(self) -> Change[Cloud]:
        """End the loads and watch the group shrink."""

        def do(_: Cloud, watch: Watch) -> Outcome:
            self._group.shrink(watch)
            return "done"

        return Change((Call("ssh MEMBER 'kill …'", do),))

    def judge(self, site: str) -> Change[Cloud]:
        """Say what it was, in an artifact and a picture."""

        def do(_: Cloud, watch: Watch) -> Outcome:
            timeline = self._group.timeline
            self.verdict = judge(timeline, self._group.findings())
            watch.line(f"{self.verdict.outcome}: {self.verdict.why}")
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            drawn = picture.draw(timeline, f"{self._job.stack_name}: {self.verdict.outcome}")
            folder = state_directory() / "pictures" / site
            file = picture.save(drawn, folder / f"{self._job.runbook}-{stamp}.png")
            key = f"{self._job.runbook}-{site}"
            picture.publish(drawn, f"{key}-picture", str(file))
            create_markdown_artifact(
                mask(render(self.verdict, timeline, str(file), self._group.told())),
                key=f"{key}-verdict",
                description=self.verdict.outcome,
            )
            for line in self._group.told():
                watch.line(line)
            watch.line(f"picture: {file}")
            return "done"

        return Change((Call("(the verdict)", do),))

    def _start(self, cloud: Cloud, watch: Watch) -> GroupWatch:
        observer = observer_of(cloud, self._job, self._members)
        return GroupWatch(observer, self._job.percent, self._job.intervals.settle_s)

    def raise_if_not_passed(self) -> None:
        """End the run as failed where the group did not pass.

        Raises:
            CheckNotPassed: With the reason.
        """
        if self.verdict is not None and self.verdict.outcome != "passed":
            raise CheckNotPassed(f"{self.verdict.outcome}: {self.verdict.why}", "see the artifacts of this run")


def observer_of(cloud: Cloud, job: Job, members: Members, serves: Callable[[str], bool] | None = None) -> Observer:
    """Read what is watched.

    Raises:
        Refused: The stack is gone, or has no group that can be checked.
        CloudError, Stopped: As `Cloud.asking`.
    """
    stack = find_stack(cloud, job.stack_name)
    if stack is None:
        raise Refused(job.runbook, [f"stack {job.stack_name} is gone"])
    settings = read_settings(cloud, stack, job.runbook)
    rule, _ = settings.rules
    with cloud.asking("read the members' flavor") as sdk:
        vcpus = int(sdk.compute.find_flavor(settings.flavor, ignore_missing=False).vcpus) if settings.flavor else 1
    every = job.intervals
    timing = Timing(
        polling_s=every.polling_s,
        granularity_s=rule.granularity_s,
        evaluation_periods=rule.periods,
        evaluation_s=every.evaluation_s,
        processing_s=every.processing_s,
        cooldown_s=settings.cooldown_s,
    )
    return Observer(cloud, settings, members, vcpus, timing, serves)


def render(verdict: Verdict, timeline: Timeline, file: str, told: Sequence[str]) -> str:
    """Write the verdict in Markdown."""
    out = [f"# {verdict.outcome}", "", verdict.why, ""]
    if verdict.took_s:
        ratio = f", {verdict.took_s / verdict.allowed.latest_s:.2f} of the latest" if verdict.allowed.latest_s else ""
        out += [
            f"All transitions took {verdict.took_s:.0f} s; polling, evaluation and cooldown allow "
            f"{verdict.allowed.soonest_s:.0f} to {verdict.allowed.latest_s:.0f} s{ratio}.",
            "",
        ]
    for title, changes in (("Under load", verdict.up), ("After the load", verdict.down)):
        out += [f"## {title}", "", *(f"- {change}" for change in changes), *([] if changes else ["- no change"]), ""]
    if verdict.findings:
        out += ["## Findings", "", *(f"- {WEIGHT[one.kind]}: {one}" for one in verdict.findings), ""]
    out += [*(f"- {line}" for line in told), ""]
    return "\n".join([*out, f"{len(timeline.observations)} observations. The picture: `{file}`.", ""])
