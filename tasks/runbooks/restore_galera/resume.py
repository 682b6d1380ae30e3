"""Where a restore of Galera is taken up after an earlier attempt: a pure function of the journal and of what is seen.

Why each way is safe:

- The original data is moved aside once, in step 6, to a name that the journal holds before the move. Whatever lies in the
  data directory after that was built by this runbook, and may be discarded and built again from the dump.
- What was loaded into it, the journal knows by the fingerprints of dump and grants, once step 7 is settled in the attempt
  that loads them. Whatever is not known to be of just these files is discarded and built anew: so is what an attempt left
  that was to discard it, and died before.
- Until step 8 every step looks at the host before it changes it, so all of them are simply taken again.
- A backup's data is made beside the old (N1 to N10), and bears the backup's mark only once it is whole; step 7 lets it take the
  old data's place. What else lies there once the old data was moved aside, it discards. Steps 9 to 16 are not taken.
- From 9 to 16 the new database lives in running containers. It is continued only if all of them still run, with their
  temporary servers where these must be up; and at 15 and 15b only if the import itself is found, running or ended. Else it
  is built again: the outcome is the same, since it comes from the dump alone.
- From 17 on the data is complete and on disk, and the same on every node, since no client is in. If the bootstrap node is
  down while others are up, all are shut down and the cluster is founded again: founding it beside a living member would
  make two clusters. If others are down, they join again.
- From 22 on clients may have written: nothing is founded, discarded or fenced any more. The last checks are taken again,
  and another dump is a job of its own, which keeps that data aside like any other.
- A rule that keeps clients out does not outlive its host's restart. Where one is missing, clients count as let in from 25 on,
  since Pacemaker starts databases by itself then, and from 17 on where a database runs. Such data is never discarded, and no
  cluster is founded beside or before it: it goes on as it is, or is kept aside as the data of a new job.
- The steps that are looked at again in any case (2, 4, 8) don't count as the place that an attempt has got to: the journal
  holds the steps that were settled before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal, now
from tasks.engine.journals import STATE_DIRECTORY
from tasks.engine.order import Order
from tasks.engine.run import TakeUp
from tasks.runbooks.restore_galera.state import Contents, RestoreState

# Before it is settled, the data directory may hold what another attempt has built.
_MADE_ANEW = "7"


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
class Situation:
    """What is seen of the cluster as a whole.

    Attributes:
        fenced: Whether every host at which clients arrive has a rule that keeps them out.
        managed: Whether Pacemaker is in charge of the database.
        import_found: Whether the unit of just this import is on the first host, running or ended.
        loading: Whether the data is loaded into the running containers (9 to 16); else it was made beside the old, and is on
            disk and whole from 7 on.
    """

    fenced: bool
    managed: bool
    import_found: bool
    loading: bool = True


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


def contents_of(journal: Journal) -> Contents | None:
    """What lies in the data directory that an attempt has made; None where nobody knows."""
    return journal.state_as(RestoreState).contents if _MADE_ANEW in journal.settled else None


def how_to_go_on(
    order: Order,
    new: Journal,
    earlier: Journal | None,
    observed: Mapping[str, Observed],
    situation: Situation,
    kept_name: str,
    adopting: bool,
) -> Resume:
    """Decide where to take up the work.

    Args:
        order: The order of the steps.
        new: The journal of a first attempt, with the contents that are to be loaded.
        earlier: The journal of an unfinished run, if there is one.
        observed: Host → what is seen; the first host comes first.
        situation: What is seen of the cluster.
        kept_name: Where a first attempt would keep the old data.
        adopting: Whether the cluster is to be adopted as it runs: then members that are down are started again.

    Raises:
        RunbookError: The state can't be understood, or somebody else has finished the work.
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
    seen = _Seen(
        order,
        order.place_of(earlier),
        [host.container_running for host in observed.values()],
        [host.server_running for host in observed.values()],
        any(host.kept for host in observed.values()),
        situation,
        contents_of(earlier) == new.state_as(RestoreState).contents,
        earlier.attempts > 1,
    )
    exposed = earlier.state_as(RestoreState).exposed or seen.exposed(earlier)
    if seen.taken_over:
        raise _finished_by_hand(earlier, seen.begun)
    if new_job := _as_a_new_job(seen, earlier, exposed):
        new.kept = {"old data": kept_name}
        return Resume(new, (), False, kept_name, new_job, supersedes=earlier)
    earlier.record_state(RestoreState(contents=new.state_as(RestoreState).contents, exposed=exposed))
    earlier.attempts += 1
    return _take_up(seen, earlier, kept, adopting)


@dataclass(frozen=True)
class _Seen:
    """What an earlier attempt has left.

    Attributes:
        order: The order of the steps.
        begun: The step that was under way, perhaps half done.
        containers: Of each host, whether the container runs; the first host comes first.
        servers: Of each host, whether a MariaDB runs.
        moved: Whether the original data was moved aside anywhere.
        situation: Of the cluster.
        same: Whether what lies in the data directory is of just the dump and grants that are to be loaded.
        repeated: Whether there was an attempt before the one that left this.
    """

    order: Order
    begun: str
    containers: list[bool]
    servers: list[bool]
    moved: bool
    situation: Situation
    same: bool
    repeated: bool

    def reached(self, step: str) -> bool:
        """Whether the attempt had begun this step, or a later one."""
        return self.order.reached(self.begun, step)

    @property
    def clients_in(self) -> bool:
        """Whether clients were let in on purpose."""
        return self.reached("22")

    def given_back(self, earlier: Journal) -> bool:
        """Whether Pacemaker has been in charge of what was built, were it for a moment (25c)."""
        return self.reached("25") or "25c" in earlier.settled

    def exposed(self, earlier: Journal) -> bool:
        """Whether clients may have written to what was built, though nobody has let them in."""
        in_reach = any(self.servers) or self.given_back(earlier)
        return self.moved and self.reached("17") and not self.situation.fenced and in_reach

    def let_in_by_itself(self, earlier: Journal) -> bool:
        """Whether nothing keeps clients off a database that Pacemaker has been in charge of."""
        return self.given_back(earlier) and not self.situation.fenced

    @property
    def taken_over(self) -> bool:
        """Whether Pacemaker and clients have the database, though the attempt was to keep both off."""
        return self.moved and not self.reached("25") and self.situation.managed and not self.situation.fenced


def _finished_by_hand(earlier: Journal, begun: str) -> RunbookError:
    return RunbookError(
        f"the restore of {earlier.started:%Y-%m-%d %H:%M} UTC did not get beyond step {begun}, and yet Pacemaker is in charge "
        "of the database, and it is open to clients: somebody has finished it by hand",
        f"on the first controller, move {STATE_DIRECTORY}/{earlier.runbook}/current.json away, and rename "
        f"{earlier.kept.get('old data')} on every controller (not to *-save*): the next run then begins anew and keeps today's "
        "data aside",
    )


def _as_a_new_job(seen: _Seen, earlier: Journal, exposed: bool) -> str:
    """Why what lies in the data directory is kept aside as any other data; empty where the earlier attempt is taken up."""
    if seen.clients_in:
        return "" if seen.same else "the earlier restore had let clients in: beginning anew"
    if not exposed:
        return ""
    why = (
        f"step {seen.begun} was under way and clients could reach the database since, as the rule of step 2 is gone: beginning "
        "anew, what they may have written is kept aside"
    )
    if not seen.same:
        return why
    goes_on = seen.situation.managed if seen.let_in_by_itself(earlier) else seen.servers[0]
    return "" if goes_on else why


_ANOTHER_TIME = "to restore once more, and keep today's data aside, give a copy of the dump under another name"


def _take_up(seen: _Seen, earlier: Journal, kept: str, adopting: bool) -> Resume:
    """Go on with the earlier attempt's journal."""
    if seen.clients_in or (earlier.state_as(RestoreState).exposed and seen.let_in_by_itself(earlier)):
        before = seen.order.before("25d")
        why = "clients had been let in" if seen.clients_in else "clients may be in, as the rule of step 2 is gone"
        return Resume(
            earlier, before, False, kept, f"{why}: taking the last checks again; {_ANOTHER_TIME}", clients_in=True
        )
    if not seen.moved:
        return Resume(earlier, (), False, kept, "the earlier attempt had not moved any data: beginning again")
    if not seen.same and (seen.repeated or seen.reached(_MADE_ANEW)):
        why = "what lies in the data directory is not known to be of this dump and these grants"
        return Resume(earlier, (), True, kept, f"{why}: building the database again")
    return _same_contents(seen, earlier, kept, adopting)


def _same_contents(seen: _Seen, earlier: Journal, kept: str, adopting: bool) -> Resume:
    begun, servers = seen.begun, seen.servers
    before = seen.order.before(begun)

    def rebuild(why: str) -> Resume:
        return Resume(earlier, (), True, kept, f"step {begun} was under way and {why}: building the database again")

    on_disk = not seen.situation.loading and not seen.reached("17")
    if not seen.reached("9") or not seen.same or on_disk:
        return Resume(earlier, (), False, kept, f"step {begun} was under way: taking the first steps again")
    if not seen.reached("17"):
        if not all(seen.containers):
            return rebuild("a container has stopped since")
        if begun not in {"9", "10", "16"} and not all(servers):
            return rebuild("a temporary server has stopped since")
        if begun in {"15", "15b"} and not seen.situation.import_found:
            return rebuild("the import is not to be found")
        return Resume(earlier, before, False, kept, f"going on with step {begun}")
    # Shut down on purpose, on the way to the documented restart: what is down stays down.
    if (seen.reached("21") and not adopting) or all(servers):
        return Resume(earlier, before, False, kept, f"going on with step {begun}")
    if not servers[0] and any(servers):
        why = "the bootstrap node is down and others are up: founding the cluster again"
        return Resume(earlier, seen.order.before("16"), False, kept, why)
    return Resume(earlier, seen.order.before("17"), False, kept, "databases are down: forming the cluster again")
