"""What stands around the steps of a check: a stack that is made first, a verdict, and the removal of what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.logging import disable_run_logger

from blocks.cloud import CloudAccess
from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudUnreachable
from blocks.remote.connection import Connection, Watch
from blocks.remote.errors import Refused, RunbookError, WaitExpired
from tasks.autoscaling.group.group import Group, Member, Server
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.judging.findings import Kind
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import Thresholds
from tasks.engine.change import ChangeFor
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.engine.steps import Steps
from tasks.heat.planning import StackPlan
from tasks.heat.source import StackSource
from tasks.heat.stack import Stack
from tasks.heat.steps import remove
from tasks.runbooks.check_autoscaling import check_plan
from tasks.runbooks.check_autoscaling.check import ScalingCheck, observer_of
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan
from tasks.runbooks.check_autoscaling.run import Checking, CheckRequest, around, check_key
from tasks.runbooks.deploy_stack import deployment as stack_deployment
from tests.unit.cloud_api import SERVICES, install, overcloud
from tests.unit.fakes import FakeClock, silent
from tests.unit.tasks.autoscaling.farm import Farm, FarmMembers, watching
from tests.unit.tasks.autoscaling.timelines import good
from tests.unit.tasks.heat_api import FakeHeat
from tests.unit.tasks.samples import SITE, journal

ACCESS, CLOUD = CloudAccess(name="overcloud"), Cloud("overcloud")
INTERVALS = Intervals(10, 5, 5, 60)
REQUEST = stack_deployment.StackRequest("cpu-group", [], {}, "x")
ASKED = CheckRequest("lab", REQUEST, INTERVALS, "debian", None, True)


@dataclass
class Walked:
    """Notes the steps' numbers, and lets some of them fail; a `tasks.engine.change.Steps`.

    Attributes:
        fails: Numbers of the steps that fail.
    """

    fails: Sequence[str] = ()
    numbers: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def step(self, number: str, sentence: str, hosts: Sequence[Connection], do: ChangeFor, **_: Any) -> None:
        self.numbers.append(number)
        if number in self.fails:
            raise StepFailed(number, sentence, "overcloud", WaitExpired("overcloud", f"{number} never came"))

    def report_finding(self, finding: str) -> None:
        self.told.append(finding)


def job(made: bool = True, left: bool = False) -> ScalingCheckPlan:
    source = cast("StackSource", None)
    mine = stack_deployment.StackDeployment(CLOUD, REQUEST, source, StackPlan("create", None), None) if made else None
    return ScalingCheckPlan(CLOUD, "check-autoscaling", left, mine, "x", Thresholds(50, 10), INTERVALS, "42")


def walk(steps: Walked, job: ScalingCheckPlan, check: ScalingCheck, asked: CheckRequest = ASKED) -> None:
    with around(cast("Steps", steps), Checking(job, check, asked), "1.2 6", "Build"):
        steps.step("1.2.1a", "See", [job.cloud], check.read())


def check(farm: Farm, seen: bool = True) -> ScalingCheck:
    check = ScalingCheck(job(), cast("MemberShells", FarmMembers(farm)))
    if seen:
        check._watch = watching(farm)
        check._watch.wait_at_minimum(silent)
    return check


def test_a_stack_is_made_before_and_removed_after_the_verdict(farm: Farm) -> None:
    steps = Walked()
    walk(steps, job(), check(farm))
    assert steps.numbers == ["1.2 6", "1.2.1a", "V", "C"]


def test_what_an_earlier_run_has_left_goes_first(farm: Farm) -> None:
    steps = Walked()
    walk(steps, job(left=True), check(farm))
    assert steps.numbers[:2] == ["0", "1.2 6"]


def test_a_stack_of_ones_own_is_neither_made_nor_removed(farm: Farm) -> None:
    steps = Walked()
    walk(steps, job(made=False), check(farm))
    assert steps.numbers == ["1.2.1a", "V"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_step_that_fails_leaves_a_verdict_and_no_stack_unless_it_is_to_stay(farm: Farm, keep: bool) -> None:
    steps, checked = Walked(["1.2.1a"]), check(farm)
    with pytest.raises(StepFailed, match=r"1\.2\.1a never came"):
        walk(steps, job(), checked, replace(ASKED, cleanup=not keep))
    assert steps.numbers == ["1.2 6", "1.2.1a", "V", *([] if keep else ["C"])]
    (finding,) = checked._cut_short
    assert finding.kind is Kind.CUT_SHORT
    assert "1.2.1a never came" in finding.sentence


def test_without_a_look_there_is_nothing_to_judge(farm: Farm) -> None:
    steps = Walked(["1.2 6"])
    with pytest.raises(StepFailed, match=r"1\.2 6 never came"):
        walk(steps, job(), check(farm, seen=False))
    assert steps.numbers == ["1.2 6", "C"]


def test_a_verdict_that_can_not_be_published_keeps_no_stack(farm: Farm) -> None:
    steps = Walked(["V"])
    with pytest.raises(StepFailed, match="V never came"):
        walk(steps, job(), check(farm))
    assert steps.numbers[-1] == "C"


def test_a_removal_that_fails_besides_is_told_and_hides_nothing(farm: Farm) -> None:
    steps = Walked(["1.2.1a", "V", "C"])
    with pytest.raises(StepFailed, match=r"1\.2\.1a never came"):
        walk(steps, job(), check(farm))
    assert [line.partition(" (")[0] for line in steps.told] == ["step V", "step C"]


def test_a_check_that_was_cut_short_is_inconclusive_for_that(farm: Farm) -> None:
    checked = check(farm)
    checked.cut_short("step 1.2.1b failed: Nova is down")
    assert checked._watch is not None
    verdict = judge(checked._watch.timeline, checked._cut_short)
    assert verdict.outcome == "inconclusive"
    assert verdict.why.startswith("check that was cut short: step 1.2.1b failed: Nova is down")
    assert judge(good(), checked._cut_short).outcome == "passed"


@pytest.mark.parametrize(("tags", "did", "begun"), [(["run-42"], "done", ["DELETE"]), (["run-7"], "already", [])])
def test_only_a_stack_of_ones_own_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, clock: FakeClock, tags: list[str], did: str, begun: list[str]
) -> None:
    heat = FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE", tags=tags, after={"DELETE": ["DELETE_COMPLETE"]})
    (call,) = remove("example", 60, "run-42").commands
    assert call.perform(overcloud(), Watch(print, lambda _: None)) == did
    assert heat.begun == begun


@pytest.mark.parametrize(("who", "refused"), [("", False), ("flow run tidy-owl (7) on site other, Running", True)])
def test_the_stack_of_a_run_that_is_at_work_was_not_left(
    monkeypatch: pytest.MonkeyPatch, who: str, refused: bool
) -> None:
    asked: list[str] = []

    def at_work(run: str) -> str:
        asked.append(run)
        return who

    monkeypatch.setattr(check_plan, "at_work", at_work)
    stack = Stack("x", "1", "CREATE_COMPLETE", tags=("openstack-runbooks", "check-autoscaling", "run-7"))
    found = check_plan.check_left("overcloud", stack)
    assert asked == ["7"]
    assert found.ok is not refused
    assert who in found.reason
    assert ("openstack stack delete x" in found.hint) is refused


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ([], "group group of stack x has no server"),
        ([1, 2], "has members of 1 and of 2 vCPUs, and one threshold fits one of them"),
        ([2, 2], ""),
    ],
)
def test_the_members_themselves_say_how_many_vcpus_they_have(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, servers: list[int], said: str, tmp_path: Any
) -> None:
    settings = watching(farm).settings
    members = [
        Member(str(n), "CREATE_COMPLETE", Server(str(n), "m", "ACTIVE", (), (), "", vcpus))
        for n, vcpus in enumerate(servers)
    ]
    install(monkeypatch, tmp_path)
    for name, stand_in in (
        ("find_stack", settings.stack),
        ("read_settings", settings),
        ("read_group", Group("group", "", tuple(members))),
    ):
        monkeypatch.setattr(f"tasks.runbooks.check_autoscaling.check.{name}", lambda *_, answer=stand_in: answer)

    def observe() -> int:
        return observer_of(overcloud(), job(), cast("MemberShells", None)).vcpus

    if said:
        with pytest.raises(Refused, match=said):
            observe()
    else:
        assert observe() == 2


def looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, stacks: list[dict[str, Any]], **services: str) -> Run:
    """A run whose preflight was refused; its reasons and findings."""
    api = install(monkeypatch, tmp_path)
    api.services = services or api.services
    tagged = [{"id": "1", "stack_status": "CREATE_COMPLETE", **stack} for stack in stacks]
    api.on("GET", "orchestration", "/stacks", say={"stacks": tagged})
    api.on("GET", "orchestration", "/resource_types", say={"resource_types": []})
    site = SITE.model_copy(update={"cloud": ACCESS})
    run = Run("check-autoscaling", site, {}, True, journal(runbook="check-autoscaling"), overcloud())
    with pytest.raises(Refused):
        check_plan.look(run, REQUEST, INTERVALS)
    return run


def test_a_cloud_without_gnocchi_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    services = {name: url for name, url in SERVICES.items() if name != "metric"}
    run = looked(monkeypatch, tmp_path, [], **services)
    assert run.reasons == [
        "overcloud: has no metric, by whose API this check sees CPU (Gnocchi); watch the group by hand as the document does; "
        "measures that Prometheus keeps are not read here"
    ]


def test_the_stack_of_a_run_that_is_at_work_is_refused_with_whatever_else_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(check_plan, "at_work", lambda run: f"flow run {run}")
    tags = ["openstack-runbooks", "check-autoscaling", "run-7"]
    run = looked(monkeypatch, tmp_path, [{"stack_name": "x", "tags": tags}])
    assert run.reasons[0].startswith("overcloud: stack x is that of flow run 7; wait for its end")
    assert len(run.reasons) > 1


def test_only_what_was_left_is_told_with_how_to_remove_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    install(monkeypatch, tmp_path)
    made = SimpleNamespace(source=SimpleNamespace(stack=SimpleNamespace(template={})), parameters={})
    there = [Stack(name, "1", "CREATE_COMPLETE", tags=(f"run-{name}",)) for name in ("alive", "dead")]
    monkeypatch.setattr(stack_deployment, "plan_deployment", lambda *_, recreate: made)
    monkeypatch.setattr(check_plan, "find_stack", lambda *_: None)
    monkeypatch.setattr(check_plan, "find_tagged", lambda *_: there)
    monkeypatch.setattr(check_plan, "at_work", lambda run: run if run == "alive" else "")
    site = SITE.model_copy(update={"cloud": ACCESS})
    run = Run("check-autoscaling", site, {}, True, journal(runbook="check-autoscaling"), overcloud())
    with disable_run_logger():
        check_plan.look(run, REQUEST, INTERVALS)
    (finding,) = run.journal.findings
    assert "`openstack stack delete dead`" in finding


def test_a_key_that_can_not_be_read_is_told_before_anything_is_made(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert str(check_key(key)) == (
        f"the key for the members can't be read: No such file or directory: {key}; give another as member_key"
    )
    key.touch()
    assert check_key(key).ok


def test_an_unreachable_cloud_is_no_reason_to_judge_it(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails is tried again with a new observer and a new visitor; what the first one saw is forgotten."""
    checked = check(farm)
    closed: list[str] = []
    checked._open.callback(closed.append, "the first visitor")
    monkeypatch.setattr(checked, "_start", lambda *_: raises(CloudUnreachable("x", "503")))
    (call,) = checked.read().commands
    with pytest.raises(CloudUnreachable):
        call.perform(Cloud("x"), silent)
    assert closed == ["the first visitor"]


def raises(error: RunbookError) -> Any:
    raise error
