"""Where a restore of the undercloud's database is taken up: a pure function of the journal and of what is seen.

Why each way is safe:

- The old data is moved aside once, in step 4, to a name that the journal holds before the move. What lies in the data directory
  after that, this runbook has made of the dump alone. It is discarded and made again (from step 4a), unless the very import is
  found at work or at its end (10.1), or the loaded server is still to be shut down (10.2).
- From 10.2a on the server has been shut down, and all is on the disk.
- From 10a on the undercloud's services may write: nothing is discarded any more. The last steps are taken again; another dump is
  a job of its own, which keeps that data aside like any other.
- An undercloud that was restarted has started its services by itself. Where the database's container runs before 10a, though the
  old data is kept already, what it may have written to is kept aside by a job of its own, whatever the dump.
- What ran before, the first attempt has recorded before it stopped anything. No later one takes what it finds stopped for what
  is to be: it adds what it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal, now
from tasks.engine.journals import STATE_DIRECTORY
from tasks.engine.order import Order
from tasks.engine.run import TakeUp
from tasks.runbooks.restore_undercloud_database.state import RestoreState

_MAKE, _IMPORT, _SHUT_DOWN, _ON_DISK, _LAST_STOPPED, _SERVE = "4a", "10.1", "10.2", "10.2a", "10.3", "10a"


@dataclass(frozen=True)
class Seen:
    """What is seen on the undercloud.

    Attributes:
        kept: Whether the journal's copy of the old data is there.
        serves: Whether the container of the service's database runs.
        importing: Whether the server that imports runs.
        import_found: Whether the unit of just this import is there, running or ended.
    """

    kept: bool
    serves: bool
    importing: bool
    import_found: bool


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        journal: A new one, or the earlier run's; it holds what this attempt loads and what ran before.
        settled: Steps that need not be taken again.
        kept: Where the old data is, or will be.
        why: What was decided, for the log; empty for a first attempt.
        supersedes: An earlier run that counts as ended.
    """

    journal: Journal
    settled: tuple[str, ...]
    kept: str
    why: str = ""
    supersedes: Journal | None = None

    @property
    def state(self) -> RestoreState:
        """What is recorded."""
        return self.journal.state_as(RestoreState)

    @property
    def serving(self) -> bool:
        """Whether an earlier attempt has started the services again, or was about to."""
        return _LAST_STOPPED in self.settled

    @property
    def take_up(self) -> TakeUp:
        """The same as the engine takes it."""
        return TakeUp(self.journal, self.settled, self.supersedes)


def nothing_known() -> Resume:
    """Before anything was looked at."""
    return Resume(Journal(runbook="", site="", run_id="", started=now()), (), "")


def how_to_go_on(order: Order, new: Journal, earlier: Journal | None, seen: Seen, kept_name: str) -> Resume:
    """Decide where to take up the work.

    Args:
        order: The order of the steps.
        new: The journal of a first attempt, with what it loads and what runs now.
        earlier: The journal of an unfinished run, if there is one.
        seen: What is seen on the undercloud.
        kept_name: Where a first attempt would keep the old data.

    Raises:
        RunbookError: Another version of this runbook has written the journal.
    """
    new.kept = {"old data": kept_name}
    if earlier is None:
        return Resume(new, (), kept_name)
    kept = earlier.kept.get("old data", "")
    if not kept or (earlier.begun and earlier.begun not in order):
        raise RunbookError(
            f"the journal of the run of {earlier.started:%Y-%m-%d %H:%M} UTC names a step {earlier.begun!r} and the old data "
            f"in {kept!r}",
            "another version of this runbook wrote it: see which copy of the data is the original, and move "
            f"{STATE_DIRECTORY}/{earlier.runbook}/current.json away",
        )
    before, loads = earlier.state_as(RestoreState), new.state_as(RestoreState)
    both = RestoreState(dump=loads.dump, services=before.services.and_also(loads.services))
    same = before.dump == loads.dump
    begun = order.place_of(earlier)
    if not seen.kept:
        return _of(earlier, both, (), kept, "the earlier attempt had not moved the data: beginning again")
    if order.reached(begun, _SERVE) and same:
        return _of(earlier, both, order.before(_SERVE), kept, "the data had been restored: starting the services again")
    if order.reached(begun, _SERVE) or seen.serves:
        new.record_state(both)
        why = (
            "the undercloud's services had the restored database since: beginning anew, today's data is kept aside, too"
        )
        return Resume(new, (), kept_name, why, supersedes=earlier)
    return _of(earlier, both, *_before_services(order, begun, seen, same, kept))


def _of(journal: Journal, state: RestoreState, settled: Sequence[str], kept: str, why: str) -> Resume:
    journal.record_state(state)
    journal.attempts += 1
    return Resume(journal, tuple(settled), kept, why)


def _before_services(order: Order, begun: str, seen: Seen, same: bool, kept: str) -> tuple[tuple[str, ...], str, str]:
    """Where an attempt that had moved the data, and not yet started the services, is taken up: settled steps and why."""
    goes_on = order.reached(begun, _ON_DISK) or (
        seen.importing and (begun == _SHUT_DOWN or (begun == _IMPORT and seen.import_found))
    )
    if same and goes_on:
        return order.before(begun), kept, f"going on with step {begun}"
    why = f"step {begun} was under way" if same else "what lies in the data directory is of another dump"
    return order.before(_MAKE), kept, f"{why}: making the database again"
