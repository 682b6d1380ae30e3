"""A runbook is taken one way: look, plan, approval, look again, perform, report; what went wrong is the run's last word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tasks.engine.approval
import tasks.engine.runbook
import tasks.engine.site
from blocks.remote.errors import Busy, Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.checks import Check
from tasks.engine.run import Run, TakeUp
from tasks.engine.runbook import Work, carry_out, runbook
from tasks.engine.site import load_site
from tests.unit.fakes import FakeShell
from tests.unit.tasks.engine.running import Published, mysql, take, work
from tests.unit.tasks.samples import HOSTS, KEPT, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")


def test_a_run_that_completes_is_reported_with_what_it_did(published: Published, shells: list[FakeShell]) -> None:
    take(work(summary=lambda _: "the database is replaced"))
    assert published == [("completed", "", ["the database is replaced"])]
    assert [len(shell.lines("one")) for shell in shells] == [1, 1, 1]
    assert all(shell.closed for shell in shells)


def test_a_run_that_fails_says_what_stands_and_where_the_old_data_is(
    published: Published, shells: list[FakeShell]
) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(RunbookError) as failed:
        take(work(take_up=lambda _: TakeUp(journal(kept={"old data": KEPT}))))
    ((outcome, error, _),) = published
    assert outcome == "failed"
    for said in (error, str(failed.value)):
        assert "step 2 (Block) failed on controller-0" in said
        assert "STILL IN FORCE: clients are blocked" in said
        assert f"KEPT: old data: {KEPT}" in said
    assert all(shell.closed for shell in shells)


def refuse(run: Run) -> list[Shell]:
    run.checks.append(Check("dump", "", "", "the dump is empty"))
    return run.hosts


def test_a_refusal_is_reported_as_one_and_nothing_was_changed(published: Published, shells: list[FakeShell]) -> None:
    with pytest.raises(Refused):
        take(work(look=refuse))
    ((outcome, error, _),) = published
    assert outcome == "refused"
    assert "the dump is empty" in error
    assert all(shell.ran == [] for shell in shells)


def test_a_dry_run_takes_no_lock_and_changes_nothing(
    published: Published, shells: list[FakeShell], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise AssertionError("a dry run took a lock")

    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    take(work(destroys=lambda _: "everything"), dry_run=True)
    assert published == [("dry run", "", [])]
    assert all(shell.ran == [] for shell in shells)


def test_a_runbook_that_only_looks_takes_no_lock_and_completes(
    published: Published, shells: list[FakeShell], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise AssertionError("a look took a lock")

    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    take(work(look=lambda run: run.checks.append(Check("dump", "", "whole")), procedure=None))
    assert published == [("completed", "", [])]
    assert all(shell.ran == [] for shell in shells)


def test_a_runbook_that_only_looks_fails_with_all_that_is_wrong(published: Published) -> None:
    def look(run: Run) -> None:
        run.checks += [
            Check("dump", "", "whole"),
            Check("node", "", "", "a node is down"),
            Check("disk", "", "", "full"),
        ]
        raise RunbookError("the store is gone")

    with pytest.raises(RunbookError, match="3 of 4 checks are not ok") as failed:
        take(work(look=look, procedure=None))
    for reason in ("a node is down", "full", "the store is gone"):
        assert f"  - {reason}" in str(failed.value)
    ((outcome, error, _),) = published
    assert outcome == "failed"
    assert "a node is down" in error


def test_a_lock_that_is_taken_is_told_with_the_other_reasons_and_each_once(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def locked(*_: object) -> Iterator[None]:
        raise Busy("another runbook is at work")
        yield

    def look(run: Run) -> list[Shell]:
        run.checks += [Check(name, "", "", name) for name in ("the dump is empty", "another runbook is at work")]
        return run.hosts

    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    with pytest.raises(Refused) as refused:
        take(work(look=look))
    assert refused.value.reasons == ("another runbook is at work", "the dump is empty")


def test_an_unknown_site_is_told_with_what_makes_it_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str) -> Site:
        raise ValueError("Unable to find block document")

    monkeypatch.setattr(Site, "load", load)
    with pytest.raises(RunbookError, match="the Prefect server knows no site 'nowhere'") as unknown:
        load_site("nowhere")
    assert "deployments apply" in unknown.value.hint


def test_an_unknown_role_is_told_where_each_runbook_has_it(published: Published) -> None:
    with pytest.raises(
        RunbookError, match="site lab has no role 'Computes'; its roles are mysql, undercloud"
    ) as unknown:
        carry_out("set-telemetry-interval", lambda *_: ["Computes"], work(), {"site": "lab", "dry_run": True})
    assert "as the parameter `role`" in unknown.value.hint


def test_a_role_without_a_host_is_told(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = SITE.model_copy(update={"roles": {**SITE.roles, "Compute": []}})
    monkeypatch.setattr(tasks.engine.runbook, "load_site", lambda _: empty)
    with pytest.raises(RunbookError, match="site lab has no host with role Compute"):
        carry_out("set-telemetry-interval", lambda *_: ["Compute"], work(), {"site": "lab", "dry_run": True})


def test_a_first_role_without_a_host_is_told_whatever_the_others_have(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = SITE.model_copy(update={"roles": {**SITE.roles, "Compute": []}})
    monkeypatch.setattr(tasks.engine.runbook, "load_site", lambda _: empty)
    with pytest.raises(RunbookError, match="site lab has no host with role Compute\n"):
        carry_out("x", lambda *_: ["Compute", "mysql"], work(), {"site": "lab", "dry_run": True})


def test_hosts_of_several_roles_are_worked_on_once_each(published: Published, shells: list[FakeShell]) -> None:
    seen: list[list[str]] = []

    def look(run: Run) -> list[Shell]:
        seen.append([host.name for host in run.hosts])
        return run.hosts[:1]

    carry_out("x", lambda *_: ["mysql", "mysql"], work(look=look), {"site": "lab", "dry_run": False})
    assert seen == [list(HOSTS)]


# -- the flow


def flow_of(some: Callable[[], Work[Any]]) -> Any:
    @runbook("restore-galera", hosts=mysql, timeout_s=60)
    def example(site: str, dry_run: bool = False, approved_by: str | None = None) -> Work[Any]:
        """An example."""
        return some()

    return example


def test_a_refusal_is_the_message_of_the_runs_state_and_no_traceback(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        state = flow_of(lambda: work(look=refuse)).fn("lab")
    assert state.is_failed()
    assert state.message == "restore-galera refuses to begin; nothing was changed:\n  - the dump is empty"
    assert "Traceback" not in caplog.text


def test_what_nobody_foresaw_in_preflight_is_told_with_all_else(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def defect(run: Run) -> list[Shell]:
        run.checks.append(Check("dump", "", "", "the dump is empty"))
        raise KeyError("a defect")

    state = flow_of(lambda: work(look=defect)).fn("lab")
    assert state.is_failed()
    assert "  - the dump is empty\n  - something that nobody foresaw" in state.message
    assert "unforeseen/" in state.message
    assert published[0][0] == "refused"


def test_what_nobody_foresaw_in_the_plan_is_told_likewise(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def procedure(steps: object, found: object) -> None:
        raise AttributeError("a defect")

    state = flow_of(lambda: replace(work(), procedure=procedure)).fn("lab")
    assert "something that nobody foresaw, and that may be an input of an unknown kind: AttributeError" in state.message


def test_a_late_run_that_a_later_one_replaces_does_nothing(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.engine.runbook, "later_run", lambda *_: "tidy-owl")
    state = flow_of(lambda: work(look=refuse)).fn("lab")
    assert (state.type.value, state.name) == ("COMPLETED", "Skipped")
    assert state.message == "tidy-owl is due as well, and does what this one would have done"
    assert published == []


def test_a_run_waits_for_the_locks_as_long_as_it_is_told(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    @contextmanager
    def locked(*arguments: Any) -> Iterator[None]:
        waits.append(arguments[-1])
        yield

    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    take(work())
    take(work(), wait_s=600)
    assert waits == [0, 600]


def test_a_run_is_called_by_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tasks.engine.runbook,
        "flow_run",
        SimpleNamespace(flow_name="restore-galera", parameters={"site": "lab", "dry_run": True}),
    )
    assert flow_of(work).flow_run_name() == "restore-galera on lab (dry run)"


def test_the_flow_has_the_parameters_of_its_function() -> None:
    assert set(flow_of(work).parameters.properties) == {"site", "dry_run", "approved_by"}
    assert flow_of(work).description == "An example."


def test_what_was_looked_at_is_reported_where_nothing_else_was_done(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(tasks.engine.runbook, "publish", lambda *of: told.append([str(check) for check in of[-1]]))

    def look(run: Run) -> list[Shell]:
        run.checks.append(Check("dump", "", "9 schemas"))
        return run.hosts

    take(work(look=look), dry_run=True)
    take(work(look=look))
    assert told == [["dump: 9 schemas"], []]
