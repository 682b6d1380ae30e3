"""What a runbook alone records is typed, so that another runbook reads it, too."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal
from tests.unit.tasks.samples import journal


class Copied(BaseModel):
    """What some runbook records."""

    bytes_copied: int = 0
    hosts: tuple[str, ...] = ()


def test_what_a_runbook_has_recorded_is_read_back_in_its_own_type() -> None:
    left = journal()
    left.record_state(Copied(bytes_copied=42, hosts=("controller-0",)))
    again = Journal.model_validate_json(left.model_dump_json())
    assert again.state_as(Copied) == Copied(bytes_copied=42, hosts=("controller-0",))


def test_a_run_that_has_recorded_nothing_yet_has_the_defaults() -> None:
    assert journal().state_as(Copied) == Copied()


def test_what_another_version_has_recorded_is_refused_with_what_to_do() -> None:
    left = journal(state={"bytes_copied": "many"})
    with pytest.raises(RunbookError, match="of 2026-11-21 12:34 UTC can't be read as one of this version") as refused:
        left.state_as(Copied)
    assert "the version that wrote it" in refused.value.hint
