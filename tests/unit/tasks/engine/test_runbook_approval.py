"""What was approved is what is done: everything is looked at again, and each question has an answer of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import tasks.engine.approval
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.engine.runbook import Work
from tests.unit.fakes import FakeShell
from tests.unit.tasks.engine.running import Published, take, work

pytestmark = pytest.mark.usefixtures("no_engine", "clock")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Who is asked; `meanwhile` happens before the answer, `asked` keeps the questions and `keys` what they were asked under."""
    someone = SimpleNamespace(site="lab", node="", by="ada", meanwhile=[], asked=[], keys=[])

    def pause(wait_for_input: Any, key: str, **_: object) -> SimpleNamespace:
        someone.asked.append(wait_for_input)
        someone.keys.append(key)
        for happens in someone.meanwhile[:1]:
            someone.meanwhile.remove(happens)
            happens()
        return someone

    monkeypatch.setattr(tasks.engine.approval, "pause_flow_run", pause)
    for form in (tasks.engine.approval.Approval, tasks.engine.approval.NodeApproval):
        monkeypatch.setattr(form, "with_initial_data", lambda description: description)
    return someone


def destroying(state: list[str]) -> Work[list[Shell]]:
    return work(destroys=lambda _: f"the database {state[-1]} is replaced")


def test_who_approved_and_what_is_in_the_report(published: Published, person: SimpleNamespace) -> None:
    take(destroying(["old"]))
    ((_, _, facts),) = published
    assert facts == ["approved by ada: the database old is replaced"]
    assert len(person.asked) == 1


def test_where_one_node_is_lost_its_name_must_be_typed_and_the_sites_approves_nothing(
    published: Published, person: SimpleNamespace, shells: list[FakeShell]
) -> None:
    lost = work(destroys=lambda _: "its disks are erased", approve_node=lambda hosts: str(hosts[0].name))
    person.node = "lab"
    with pytest.raises(RunbookError, match="'lab' is not the name of the node"):
        take(lost)
    assert all(shell.lines("one") == [] for shell in shells)
    person.node, person.site = shells[0].name, ""
    take(lost)
    assert published[-1][2] == ["approved by ada: its disks are erased"]


def test_what_was_approved_is_not_said_twice(published: Published, person: SimpleNamespace) -> None:
    def what(_: object) -> str:
        return "the database old is replaced"

    take(work(destroys=what, summary=what))
    ((_, _, facts),) = published
    assert facts == ["approved by ada", "the database old is replaced"]


def test_what_has_changed_since_it_was_shown_is_told_and_asked_again(
    published: Published, person: SimpleNamespace
) -> None:
    state = ["old"]
    person.meanwhile = [lambda: state.append("that clients write to")]
    take(destroying(state))
    assert len(person.asked) == 2
    assert "-the database old is replaced" in person.asked[1]
    assert "+the database that clients write to is replaced" in person.asked[1]
    ((_, _, facts),) = published
    assert facts == ["approved by ada: the database that clients write to is replaced"]


def test_what_preflight_would_refuse_by_now_is_refused_after_the_approval(
    published: Published, person: SimpleNamespace, shells: list[FakeShell]
) -> None:
    opened: list[bool] = []

    def look(run: Run) -> list[Shell]:
        run.checks += [Check("VIP", "", "", "somebody has opened the cluster")] if opened else []
        return run.hosts

    person.meanwhile = [lambda: opened.append(True)]
    with pytest.raises(Refused, match="somebody has opened the cluster"):
        take(work(look=look, destroys=lambda _: "all"))
    assert all(shell.lines("one") == [] for shell in shells)


def test_each_question_has_a_key_of_its_own_so_that_no_retry_takes_an_old_answer(
    published: Published, person: SimpleNamespace
) -> None:
    take(destroying(["old"]))
    take(destroying(["old"]))
    assert len(set(person.keys)) == 2


def test_an_approval_by_parameter_holds_for_the_first_attempt_alone(
    published: Published, person: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(destroying(["old"]), approved_by="grace")
    assert person.asked == []
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "2")
    take(destroying(["old"]), approved_by="grace")
    assert len(person.asked) == 1


def test_where_nothing_is_destroyed_nobody_is_asked(published: Published, person: SimpleNamespace) -> None:
    take(work())
    assert person.asked == []


def test_after_an_approval_only_what_is_seen_by_then_counts(
    published: Published, person: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(tasks.engine.runbook, "publish", lambda *of: told.append([str(check) for check in of[-1]]))
    seen = ["9 schemas"]

    def look(run: Run) -> list[Shell]:
        run.checks.append(Check("dump", "", seen[-1], "" if len(seen) == 1 else "it is gone"))
        return run.hosts

    person.meanwhile = [lambda: seen.append("nothing")]
    with pytest.raises(Refused):
        take(work(look=look, destroys=lambda _: "all"))
    assert told == [["it is gone"]]
