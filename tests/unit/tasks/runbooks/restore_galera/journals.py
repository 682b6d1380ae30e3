"""Journals of restores, with what this runbook alone records."""

from __future__ import annotations

from tasks.engine.journal import Journal
from tasks.runbooks.restore_galera.state import Contents, RestoreState
from tests.unit.tasks.samples import journal


def restore_journal(contents: Contents | None = None, exposed: bool = False, **changes: object) -> Journal:
    """A journal with these contents, and these attributes."""
    made = journal(**changes)
    made.record_state(RestoreState(contents=contents, exposed=exposed))
    return made
