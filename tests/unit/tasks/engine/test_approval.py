"""Data is replaced only after somebody has approved: by a name that was given, or by typing the site's name, or the node's."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

import tasks.engine.approval
from blocks.remote.errors import RunbookError
from tasks.engine.approval import Approval, NodeApproval, approved_beforehand, ask_approval

pytestmark = pytest.mark.usefixtures("no_engine")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A person who answers with `site` or `node`, and `by`; `times` counts the questions."""
    person = SimpleNamespace(site="lab", node="controller-1", by="ada", times=0)

    def pause(**_: object) -> SimpleNamespace:
        person.times += 1
        return person

    monkeypatch.setattr(tasks.engine.approval, "pause_flow_run", pause)
    return person


@pytest.mark.parametrize("name", ["ada", "  ada "])
def test_a_name_that_is_given_approves_and_nothing_is_asked(asked: SimpleNamespace, name: str) -> None:
    assert approved_beforehand(name) == "ada"
    assert asked.times == 0


@pytest.mark.parametrize("name", [None, "", "  ", "\n"])
def test_an_empty_name_does_not_approve(asked: SimpleNamespace, name: str | None) -> None:
    assert approved_beforehand(name) == ""


@pytest.mark.parametrize("typed", ["", "yes", "LAB", "lab2", "ada"])
def test_anything_but_the_name_of_the_site_does_not_approve(asked: SimpleNamespace, typed: str) -> None:
    asked.site = typed
    with pytest.raises(RunbookError, match="not approved"):
        ask_approval("lab", "the plan")


def test_white_space_around_the_name_is_forgiven(asked: SimpleNamespace) -> None:
    asked.site = " lab\n"
    assert ask_approval("lab", "the plan") == "ada"


@pytest.mark.parametrize("typed", ["", "lab", "controller-0", "controller-1.lab"])
def test_anything_but_the_name_of_the_node_approves_nothing_of_one_node(asked: SimpleNamespace, typed: str) -> None:
    asked.node = typed
    with pytest.raises(RunbookError, match="is not the name of the node; nothing was changed") as refused:
        ask_approval("lab", "the plan", "controller-1")
    assert refused.value.hint == "start the runbook again and type 'controller-1' to approve"


def test_the_name_of_the_node_approves_what_is_lost_of_one_node(asked: SimpleNamespace) -> None:
    asked.site = ""
    assert ask_approval("lab", "the plan", "controller-1") == "ada"


def test_the_form_says_which_name_is_wanted() -> None:
    wanted = [next(iter(form.model_json_schema()["properties"])) for form in (Approval, NodeApproval)]
    assert wanted == ["site", "node"]
    assert NodeApproval.model_json_schema()["properties"]["node"]["description"].startswith("Type the node's name")


@pytest.mark.parametrize("answer", [{}, {"site": "lab"}, {"by": "ada"}, {"site": "lab", "by": ""}])
def test_an_empty_answer_is_none(answer: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Approval.model_validate(answer)
    with pytest.raises(ValidationError):
        NodeApproval.model_validate({{"site": "node"}.get(key, key): value for key, value in answer.items()})
