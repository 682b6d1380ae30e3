"""Data is replaced only after somebody has approved: by a name that was given, or by typing the site's name."""

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

import tasks.engine.approval
from blocks.remote.errors import RunbookError
from tasks.engine.approval import Approval, approved_beforehand, ask_approval

pytestmark = pytest.mark.usefixtures("no_engine")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A person who answers with `site` and `by`; `times` counts the questions."""
    person = SimpleNamespace(site="lab", by="ada", times=0)

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


@pytest.mark.parametrize("answer", [{}, {"site": "lab"}, {"by": "ada"}, {"site": "lab", "by": ""}])
def test_an_empty_answer_is_none(answer: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Approval.model_validate(answer)
