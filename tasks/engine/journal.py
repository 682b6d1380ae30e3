"""The journal: what a run has done so far. `tasks.engine.journals` keeps it.

A run that was killed leaves it behind, and so the next run, from whatever machine, knows what stands, what is in force
and where the old data is. It is written when a step begins (with all that came before it), so "begun" means: perhaps
done, perhaps half done, look.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from blocks.remote.errors import RunbookError
from tasks.engine.cleanup import Cleanup

Outcome = Literal["done", "already", "attached", "answered", "left out", "earlier"]
S = TypeVar("S", bound=BaseModel)


class Record(BaseModel):
    """One step on one host, as it ended."""

    model_config = ConfigDict(frozen=True)

    number: str
    sentence: str
    host: str
    outcome: Outcome
    seconds: float = 0.0
    note: str = ""
    findings: tuple[str, ...] = ()
    result: JsonValue = None


class Journal(BaseModel):
    """The state of one run of one runbook.

    Attributes:
        runbook: Its name.
        site: The site's name.
        run_id: Prefect's id of the latest attempt's flow run.
        started: When the first attempt began (UTC).
        stamp: The same as part of file names.
        state: What this runbook alone records, as its own type writes it; see `state_as`.
        kept: Names that must be the same in every attempt (the directory that keeps the old data).
        attempts: How many runs have worked on it.
        settled: Numbers of the steps that are done.
        begun: The step that was under way last, done or not.
        in_force: Key → sentence of what stands until a later step lifts it.
        cleanups: What must still be cleaned up, in the order in which it was announced.
        results: Step number → host → the value that the step returned to later ones.
        records: Every step of the latest attempt.
        findings: What the operator should know afterwards.
        finished: Whether the procedure reached its end.
    """

    runbook: str
    site: str
    run_id: str
    started: datetime
    state: dict[str, JsonValue] = Field(default_factory=dict)
    kept: dict[str, str] = Field(default_factory=dict)
    attempts: int = 1
    settled: list[str] = Field(default_factory=list)
    begun: str = ""
    in_force: dict[str, str] = Field(default_factory=dict)
    cleanups: list[Cleanup] = Field(default_factory=list)
    results: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    records: list[Record] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)
    finished: bool = False

    def state_as(self, kind: type[S]) -> S:
        """What the runbook has recorded, in its own type: so another runbook reads it, too.

        Args:
            kind: The runbook's model; every field of it has a default, for a run that has recorded nothing yet.

        Raises:
            RunbookError: Another version of the runbook has recorded something else.
        """
        try:
            return kind.model_validate(self.state)
        except ValidationError as error:
            raise RunbookError(
                f"the journal of {self.runbook} of {self.started:%Y-%m-%d %H:%M} UTC can't be read as one of this version "
                f"({error.error_count()} errors)",
                "go on with the version that wrote it, or see what it says and move it away",
            ) from error

    def record_state(self, state: BaseModel) -> None:
        """Record what the runbook's own type holds; it is written with the next step."""
        self.state = state.model_dump(mode="json")

    @property
    def stamp(self) -> str:
        """The start as 20261121T123456Z."""
        return self.started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
