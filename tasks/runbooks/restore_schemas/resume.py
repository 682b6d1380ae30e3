"""Where a restore of schemas is taken up: a pure function of the journal and of what is seen.

Each schema is on one of two sides, and the table that moves with its others says on which (`tasks.database.schema_scripts`):

- Its tables have not changed places: nothing that was there has been touched but for what is written down in its file. All is done
  anew, under the same names.
- They have: what is there is the backup's, and clients write to it. It is not touched again but that its definitions are made,
  which bears being done twice.

Another backup, or other schemas, are a job of their own. Where the earlier one has put something in place and has not come to its
end, that end comes first: nobody else makes its views and triggers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from blocks.remote.errors import RunbookError
from tasks.engine.journal import Journal
from tasks.engine.run import TakeUp
from tasks.runbooks.restore_schemas.state import RestoreState

_KEPT = "old schema "


@dataclass(frozen=True)
class Resume:
    """How to go on.

    Attributes:
        journal: A new one, or the earlier run's.
        in_place: Schemas that are in place already.
        why: What was decided; empty for a first attempt.
        supersedes: An earlier run that counts as ended.
    """

    journal: Journal
    in_place: frozenset[str] = frozenset()
    why: str = ""
    supersedes: Journal | None = None

    @property
    def take_up(self) -> TakeUp:
        """The same as the engine takes it."""
        return TakeUp(self.journal, (), self.supersedes)


def kept_by(journal: Journal) -> Mapping[str, str]:
    """Schema → the one that keeps what was in it, by a journal."""
    return {what.removeprefix(_KEPT): kept for what, kept in journal.kept.items() if what.startswith(_KEPT)}


def how_to_go_on(
    new: Journal, earlier: Journal | None, wanted: RestoreState, names: Mapping[str, str], kept: Collection[str]
) -> Resume:
    """Decide how to go on.

    Args:
        new: The journal of this run.
        earlier: That of a run which has not come to its end; None where there is none.
        wanted: What is to be restored.
        names: Schema → the one that would keep what is in it, by the new journal.
        kept: Schemas of the cluster that keep what was in another one.

    Raises:
        RunbookError: The earlier run has put something else in place, and must come to its end first.
    """
    if earlier is None:
        return Resume(_begun(new, wanted, names))
    was = earlier.state_as(RestoreState)
    in_place = frozenset(schema for schema, kept_as in kept_by(earlier).items() if kept_as in kept)
    if (was.backup, was.schemas) == (wanted.backup, wanted.schemas):
        earlier.attempts += 1
        told = ", ".join(sorted(in_place))
        why = f"{told} is in place already" if told else "nothing is in place yet"
        return Resume(earlier, in_place, f"going on with the run of {earlier.started:%Y-%m-%d %H:%M} UTC: {why}")
    if in_place:
        name = was.backup.split()[0]
        raise RunbookError(
            f"the run of {earlier.started:%Y-%m-%d %H:%M} UTC has put {', '.join(sorted(in_place))} in place and was ended "
            "before its end: views, triggers and routines may be missing there",
            f'start it again first, with backup="{name}" and schemas={json.dumps(sorted(was.schemas))}',
        )
    why = f"the run of {earlier.started:%Y-%m-%d %H:%M} UTC had put nothing in place: beginning anew"
    return Resume(_begun(new, wanted, names), why=why, supersedes=earlier)


def _begun(new: Journal, wanted: RestoreState, names: Mapping[str, str]) -> Journal:
    new.record_state(wanted)
    new.kept |= {f"{_KEPT}{schema}": kept for schema, kept in names.items()}
    return new
