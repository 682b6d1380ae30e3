"""Where an earlier attempt's work is taken up."""

from __future__ import annotations

import pytest

from blocks.database import UndercloudDatabase
from blocks.remote.errors import RunbookError
from flows.restore_undercloud_database import procedure
from tasks.engine.journal import Journal
from tasks.engine.order import Order
from tasks.engine.plan import plan_of
from tasks.node.tripleo_services import Services
from tasks.runbooks.restore_undercloud_database.job import Request, unknown_job
from tasks.runbooks.restore_undercloud_database.resume import Resume, Seen, how_to_go_on
from tasks.runbooks.restore_undercloud_database.state import RestoreState
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import KEPT, journal

ORDER = Order(plan_of(procedure, unknown_job(FakeShell(), UndercloudDatabase(), Request("/d", 1, 1, 1, 1))).numbers)
NEXT = "/var/lib/mysql-save-20261122T000000Z"
RAN, RUNS = Services(units=("tripleo_keystone.service",)), Services(containers=("stray",))
MOVED = Seen(kept=True, serves=False, importing=False, import_found=False)
IMPORTING = Seen(kept=True, serves=False, importing=True, import_found=True)
SERVING = Seen(kept=True, serves=True, importing=False, import_found=False)


def attempt(begun: str, dump: str = "a") -> Journal:
    """The journal of an attempt that died in this step."""
    made = journal(begun=begun, settled=list(ORDER.before(begun)), kept={"old data": KEPT})
    made.record_state(RestoreState(dump=dump, services=RAN))
    return made


def go_on(earlier: Journal | None, seen: Seen = MOVED, dump: str = "a") -> Resume:
    new = journal(run_id="2")
    new.record_state(RestoreState(dump=dump, services=RUNS))
    return how_to_go_on(ORDER, new, earlier, seen, NEXT)


def test_a_first_attempt_begins_at_the_beginning() -> None:
    resume = go_on(None)
    assert (resume.settled, resume.kept, resume.serving, resume.state.services) == ((), NEXT, False, RUNS)


@pytest.mark.parametrize("begun", ["2", "3", "4"])
def test_where_nothing_was_moved_it_begins_again_with_what_ran_then(begun: str) -> None:
    resume = go_on(attempt(begun), Seen(kept=False, serves=False, importing=False, import_found=False))
    assert (resume.settled, resume.kept) == ((), KEPT)
    assert resume.state.services == Services(units=RAN.units, containers=RUNS.containers)


@pytest.mark.parametrize(
    ("begun", "seen", "next_step"),
    [
        ("4", MOVED, "4a"),
        ("5", MOVED, "4a"),
        ("7", MOVED, "4a"),
        ("9", IMPORTING, "4a"),
        ("10.1", MOVED, "4a"),
        ("10.1", IMPORTING, "10.1"),
        ("10.2", MOVED, "4a"),
        ("10.2", IMPORTING, "10.2"),
        ("10.2a", MOVED, "10.2a"),
        ("10.3", MOVED, "10.3"),
        ("10a", MOVED, "10a"),
        ("10a", SERVING, "10a"),
        ("11", SERVING, "10a"),
        ("11a", SERVING, "10a"),
    ],
)
def test_what_lies_there_is_gone_on_with_or_made_again(begun: str, seen: Seen, next_step: str) -> None:
    resume = go_on(attempt(begun), seen)
    assert (resume.settled, resume.kept) == (ORDER.before(next_step), KEPT)
    assert resume.serving is (next_step == "10a")
    assert resume.why


@pytest.mark.parametrize("begun", ["5", "8", "10.1", "10.2", "10.2a", "10.3"])
def test_of_another_dump_the_database_is_made_again(begun: str) -> None:
    resume = go_on(attempt(begun), IMPORTING, dump="b")
    assert resume.settled == ORDER.before("4a")
    assert resume.state.dump == "b"


@pytest.mark.parametrize(
    ("begun", "seen", "dump"),
    [("11", SERVING, "b"), ("10a", MOVED, "b"), ("5", SERVING, "a"), ("4", SERVING, "a"), ("10.2a", SERVING, "a")],
)
def test_what_services_may_have_written_is_kept_aside_by_a_job_of_its_own(begun: str, seen: Seen, dump: str) -> None:
    earlier = attempt(begun)
    resume = go_on(earlier, seen, dump)
    assert (resume.settled, resume.kept, resume.supersedes) == ((), NEXT, earlier)
    assert resume.state.services == Services(units=RAN.units, containers=RUNS.containers)


def test_the_journal_of_another_version_is_refused() -> None:
    for earlier in (journal(begun="99", kept={"old data": KEPT}), journal(begun="4")):
        with pytest.raises(RunbookError, match="names a step"):
            go_on(earlier)
