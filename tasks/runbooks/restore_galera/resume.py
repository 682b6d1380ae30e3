"""Where a restore of Galera is taken up after an earlier attempt: a pure function of the journal and of what is seen.

Why each way is safe:

- The original data is moved aside once, in step 6, to a name that the journal holds before the move. Whatever lies in the
  data directory after that was built by this runbook, and may be discarded and built again from the dump.
- Until step 8 every step looks at the host before it changes it, so all of them are simply taken again.
- From 9 to 16 the new database lives in running containers. It is continued only if all of them still run, with their
  temporary servers where these must be up; and at 15 and 15b only if the import itself is found, running or ended. Else it
  is built again: the outcome is the same, since it comes from the dump alone.
- From 17 on the data is complete and on disk, and the same on every node, since no client is in. If the bootstrap node is
  down while others are up, all are shut down and the cluster is founded again: founding it beside a living member would
  make two clusters. If others are down, they join again.
- From 22 on clients may have written: nothing is founded, discarded or fenced any more. The last checks are taken again,
  and another dump is a job of its own, which keeps that data aside like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal, now
from tasks.engine.run import TakeUp


class Order:
    """The numbers of the runbook's steps, in the order in which its procedure takes them.

    Args:
        numbers: As the plan of a first attempt has them; 22 comes last (see the departures).
    """

    def __init__(self, numbers: Sequence[str]) -> None:
        self.numbers = tuple(numbers)

    def __contains__(self, number: str) -> bool:
        return number in self.numbers

    def before(self, number: str) -> tuple[str, ...]:
        """The steps before one."""
        return self.numbers[: self.numbers.index(number)]

    def reached(self, begun: str, number: str) -> bool:
        """Whether a run that has begun one step has begun another, which comes at the same place or before it."""
        return begun in self.numbers and self.numbers.index(begun) >= self.numbers.index(number)


@dataclass(frozen=True)
class Observed:
    """What is seen on one host.

    Attributes:
        container_running: Whether Galera's container runs.
        server_running: Whether a MariaDB process runs in it.
        kept: Whether the journal's directory of old data is there.
        saves: All directories beside the data directory that keep data.
    """

    container_running: bool
    server_running: bool
    kept: bool = False
    saves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        journal: A new one, or the earlier run's.
        settled: Steps that need not be taken again.
        rebuild: Whether what an earlier attempt built is discarded.
        kept: Where the old data is, or will be.
        why: What was decided, for the log; empty for a first attempt.
        clients_in: Whether the earlier attempt has let clients in.
        supersedes: An earlier run that counts as ended.
    """

    journal: Journal
    settled: tuple[str, ...]
    rebuild: bool
    kept: str
    why: str = ""
    clients_in: bool = False
    supersedes: Journal | None = None

    @property
    def take_up(self) -> TakeUp:
        """The same as the engine takes it."""
        return TakeUp(self.journal, self.settled, self.supersedes)


def nothing_known() -> Resume:
    """Before anything was looked at."""
    return Resume(Journal(runbook="", site="", run_id="", started=now()), (), False, "")


def unknown_saves(observed: Mapping[str, Observed], known: Sequence[str]) -> list[str]:
    """Reasons to refuse: directories that may hold the only good data, and that no journal knows."""
    return [
        f"{host}: {save} keeps data of an earlier restore that left no journal, so nobody can say which copy is the "
        "original; rename it (not to *-save*) or remove it, once you know what it holds"
        for host, seen in observed.items()
        for save in seen.saves
        if save not in known
    ]


def how_to_go_on(
    order: Order,
    new: Journal,
    earlier: Journal | None,
    observed: Mapping[str, Observed],
    kept_name: str,
    import_found: bool,
    adopting: bool,
) -> Resume:
    """Decide where to take up the work.

    Args:
        order: The order of the steps.
        new: The journal of a first attempt.
        earlier: The journal of an unfinished run, if there is one.
        observed: Host → what is seen; the first host comes first.
        kept_name: Where a first attempt would keep the old data.
        import_found: Whether the import's unit is on the first host, running or ended.
        adopting: Whether the cluster is to be adopted as it runs: then members that are down are started again.

    Raises:
        RunbookError: The state can't be understood.
    """
    if earlier is None:
        new.kept = {"old data": kept_name}
        return Resume(new, (), False, kept_name)
    kept = earlier.kept.get("old data", "")
    if not kept or (earlier.begun and earlier.begun not in order):
        raise RunbookError(
            f"the journal of the run of {earlier.started:%Y-%m-%d %H:%M} UTC names a step {earlier.begun!r} and the old data "
            f"in {kept!r}",
            "another version of this runbook wrote it: see which copy of the data is the original before going on",
        )
    moved = any(seen.kept for seen in observed.values())
    same = earlier.subject == new.subject
    clients_in = order.reached(earlier.begun, "22")
    if clients_in and not same:
        new.kept = {"old data": kept_name}
        return Resume(
            new, (), False, kept_name, "the earlier restore had let clients in: beginning anew", supersedes=earlier
        )
    earlier.subject, earlier.attempts = new.subject, earlier.attempts + 1
    if clients_in:
        before = order.before("25d")
        return Resume(
            earlier, before, False, kept, "clients had been let in: taking the last checks again", clients_in=True
        )
    if not moved:
        return Resume(earlier, (), False, kept, "the earlier attempt had not moved any data: beginning again")
    if not same:
        return Resume(earlier, (), True, kept, "another dump than the earlier attempt's: building the database again")
    return _same_job(order, earlier, observed, kept, import_found, adopting)


def _same_job(
    order: Order,
    earlier: Journal,
    observed: Mapping[str, Observed],
    kept: str,
    import_found: bool,
    adopting: bool,
) -> Resume:
    begun = earlier.begun or order.numbers[0]
    before = order.before(begun)
    containers = all(seen.container_running for seen in observed.values())
    servers = [seen.server_running for seen in observed.values()]

    def rebuild(why: str) -> Resume:
        return Resume(earlier, (), True, kept, f"step {begun} was under way and {why}: building the database again")

    if not order.reached(begun, "9"):
        return Resume(earlier, (), False, kept, f"step {begun} was under way: taking the first steps again")
    if not order.reached(begun, "17"):
        if not containers:
            return rebuild("a container has stopped since")
        if order.reached(begun, "11") and begun != "16" and not all(servers):
            return rebuild("a temporary server has stopped since")
        if begun in {"15", "15b"} and not import_found:
            return rebuild("the import is not to be found")
        return Resume(earlier, before, False, kept, f"going on with step {begun}")
    # Shut down on purpose, on the way to the documented restart: what is down stays down.
    if order.reached(begun, "21") and not adopting:
        return Resume(earlier, before, False, kept, f"going on with step {begun}")
    if all(servers):
        return Resume(earlier, before, False, kept, f"going on with step {begun}")
    if not servers[0] and any(servers):
        why = "the bootstrap node is down and others are up: founding the cluster again"
        return Resume(earlier, order.before("16"), False, kept, why)
    return Resume(earlier, order.before("17"), False, kept, "databases are down: forming the cluster again")
