"""The check of a scaling group: its steps, and the verdict that comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from blocks.remote.cloud import Cloud
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.secrets import mask
from blocks.state import state_directory
from tasks.autoscaling.group.group import read_group, read_vcpus
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.group.settings import Settings, read_settings
from tasks.autoscaling.judging.findings import WEIGHT, Finding, Kind
from tasks.autoscaling.judging.verdict import Verdict, judge
from tasks.autoscaling.timeline import Timeline
from tasks.autoscaling.watching import picture
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.engine.change import Call, Change
from tasks.heat.stack import find_stack
from tasks.runbooks.check_autoscaling.check_plan import ScalingCheckPlan
from tasks.telemetry.thresholds import Timing


class CheckNotPassed(RunbookError):
    """The group did not scale as it should, or nobody can say."""


class ScalingCheck:
    """The check itself: its steps share what was seen.

    Args:
        job: What is checked.
        members: Shells on the members.
    """

    def __init__(self, job: ScalingCheckPlan, members: MemberShells) -> None:
        self._job, self._members = job, members
        self._watch: GroupWatch | None = None
        self._open = ExitStack()
        self._cut_short: list[Finding] = []
        self.verdict: Verdict | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        if self._watch is not None and self._watch.observer.load_running:
            logger = get_run_logger()
            try:
                self._watch.stop_load(Watch(lambda line: logger.warning("%s", mask(line)), lambda _: None))
            except RunbookError as error:  # the run was stopped: what ended it is what counts
                logger.warning("the loads end by themselves: %s", mask(error.message))

    @property
    def observed(self) -> bool:
        """Whether anything was seen that can be judged."""
        return self._watch is not None and bool(self._watch.observations)

    def cut_short(self, why: str) -> None:
        """Note that the check could not be gone through.

        Args:
            why: In a sentence.
        """
        self._cut_short.append(Finding(Kind.CUT_SHORT, why))

    @property
    def _group(self) -> GroupWatch:
        assert self._watch is not None, "the group was read first"
        return self._watch

    def read(self) -> Change[Cloud]:
        """Read how the group is meant to scale, and see that it is at its minimum."""

        def do(cloud: Cloud, watch: Watch) -> Performed:
            self._open.close()  # where this is tried again
            self._watch = self._start(cloud, watch)
            for note in self._watch.settings.notes:
                watch.line(note)
            self._watch.begin()
            self._watch.wait_at_minimum(watch)
            return "done"

        return Change((Call(f"openstack stack resource list --nested-depth 5 {self._job.stack_name}", do),))

    def grow(self) -> Change[Cloud]:
        """Load every member, and watch the group grow; whatever ends the watching, the loads are ended."""

        def do(_: Cloud, watch: Watch) -> Performed:
            try:
                self._group.grow(watch)
            except BaseException:
                self._group.stop_load(watch)
                raise
            return "done"

        shown = "ssh MEMBER 'dd if=/dev/zero of=/dev/null &', as many as it has vCPUs, each with a time limit"
        return Change((Call(shown, do),))

    def shrink(self) -> Change[Cloud]:
        """End the loads and watch the group shrink."""

        def do(_: Cloud, watch: Watch) -> Performed:
            self._group.shrink(watch)
            return "done"

        return Change((Call("ssh MEMBER 'kill …'", do),))

    def judge(self, site: str) -> Change[Cloud]:
        """Say what it was, in an artifact and a picture."""

        def do(_: Cloud, watch: Watch) -> Performed:
            timeline = self._group.timeline
            self.verdict = judge(timeline, [*self._group.findings(), *self._cut_short])
            watch.line(f"{self.verdict.outcome}: {self.verdict.why}")
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            drawn = picture.draw(timeline, f"{self._job.stack_name}: {self.verdict.outcome}")
            folder = state_directory() / "pictures" / site
            file = picture.save(drawn, folder / f"{self._job.runbook}-{stamp}.png")
            key = f"{self._job.runbook}-{site}"
            picture.publish(drawn, f"{key}-picture", str(file))
            create_markdown_artifact(
                mask(render(self.verdict, timeline, str(file), self._group.notes())),
                key=f"{key}-verdict",
                description=self.verdict.outcome,
            )
            for line in self._group.notes():
                watch.line(line)
            watch.line(f"picture: {file}")
            return "done"

        return Change((Call("(the verdict)", do),))

    def _start(self, cloud: Cloud, watch: Watch) -> GroupWatch:
        observer = observer_of(cloud, self._job, self._members)
        return GroupWatch(observer, self._job.thresholds_percent, self._job.intervals.settle_s)

    def raise_if_not_passed(self) -> None:
        """End the run as failed where the group did not pass.

        Raises:
            CheckNotPassed: With the reason.
        """
        if self.verdict is not None and self.verdict.outcome != "passed":
            raise CheckNotPassed(f"{self.verdict.outcome}: {self.verdict.why}", "see the artifacts of this run")


def observer_of(
    cloud: Cloud, job: ScalingCheckPlan, members: MemberShells, serves: Callable[[str], bool] | None = None
) -> Observer:
    """Read what is watched.

    Raises:
        Refused: The stack is gone, or has no group that can be checked.
        CloudError, Stopped: As `Cloud.request`.
    """
    stack = find_stack(cloud, job.stack_name)
    if stack is None:
        raise Refused(job.runbook, [f"stack {job.stack_name} is gone"])
    settings = read_settings(cloud, stack, job.runbook)
    rule, _ = settings.rules
    vcpus = _vcpus(cloud, job, settings)
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


def _vcpus(cloud: Cloud, job: ScalingCheckPlan, settings: Settings) -> int:
    """How many vCPUs each member has, by which thresholds are computed and loads are counted."""
    group = read_group(cloud, settings.stack, settings.group)
    found = read_vcpus(cloud, [member.server for member in group.members if member.server is not None])
    if len(found) == 1:
        return found.pop()
    said = f"members of {' and of '.join(map(str, sorted(found)))} vCPUs, and one threshold fits one of them"
    why = said if found else "no server, from whose flavor a threshold could be computed"
    raise Refused(job.runbook, [f"group {settings.group} of stack {job.stack_name} has {why}"])


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
        out += ["## Findings", "", *(f"- {WEIGHT[finding.kind]}: {finding}" for finding in verdict.findings), ""]
    out += [*(f"- {line}" for line in told), ""]
    return "\n".join([*out, f"{len(timeline.observations)} observations. The picture: `{file}`.", ""])
