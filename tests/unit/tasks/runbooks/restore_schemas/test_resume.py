"""Where a restore of schemas is taken up."""

from __future__ import annotations

import pytest

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal
from tasks.runbooks.restore_schemas.resume import how_to_go_on, kept_by
from tasks.runbooks.restore_schemas.state import RestoreState
from tests.unit.tasks.samples import journal

WANTED = RestoreState(backup="set-1 logical 0a", schemas=["keystone", "nova"])
NAMES = {"nova": "nova_kept_1", "keystone": "keystone_kept_1"}


def new() -> Journal:
    return journal(runbook="restore-schemas", started="2026-11-22T00:00:00Z")


def earlier(wanted: RestoreState = WANTED) -> Journal:
    return how_to_go_on(journal(runbook="restore-schemas"), None, wanted, NAMES, ()).journal


def test_a_first_attempt_records_what_is_restored_and_where_the_old_is_kept() -> None:
    begun = how_to_go_on(new(), None, WANTED, NAMES, ())
    assert (begun.journal.state_as(RestoreState), kept_by(begun.journal), begun.in_place) == (
        WANTED,
        NAMES,
        frozenset(),
    )


def test_the_same_restore_goes_on_under_the_same_names_with_what_is_not_in_place() -> None:
    resume = how_to_go_on(new(), earlier(), WANTED, {"nova": "nova_kept_2"}, {"nova_kept_1", "heat_kept_7"})
    assert (resume.in_place, resume.supersedes, resume.journal.attempts) == (frozenset({"nova"}), None, 2)
    assert kept_by(resume.journal) == NAMES
    assert "nova is in place already" in resume.why


@pytest.mark.parametrize(
    "wanted",
    [
        RestoreState(backup="set-2 logical 0b", schemas=WANTED.schemas),
        RestoreState(backup=WANTED.backup, schemas=["heat"]),
    ],
)
def test_another_restore_begins_anew_where_nothing_is_in_place_and_waits_where_something_is(
    wanted: RestoreState,
) -> None:
    was = earlier()
    resume = how_to_go_on(new(), was, wanted, {"heat": "heat_kept_2"}, {"heat_kept_1"})
    assert (resume.supersedes, resume.in_place, resume.journal.stamp) == (was, frozenset(), "20261122T000000Z")
    with pytest.raises(RunbookError, match="has put nova in place") as refused:
        how_to_go_on(new(), earlier(), wanted, {}, {"nova_kept_1"})
    assert refused.value.hint == 'start it again first, with backup="set-1" and schemas=["keystone", "nova"]'
