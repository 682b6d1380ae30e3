"""What is learnt of a sealed set later: that it was restored, which images belong to it, that it is to stay.

Each is a file of its own beside the set, numbered in the order in which they came, and never changed: so a store that forbids
changing files can be used, and no clock decides which one counts. `docs/schemas/record.schema.json` is made from this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from blocks.constraints import HostName
from blocks.remote.errors import RunbookError
from tasks.backup.manifest import Kind, Method, Strict, UtcTime, Word


class Verified(Strict):
    """A database of the set was restored somewhere and compared with the manifest."""

    event: Literal["verified"] = "verified"
    at: UtcTime = Field(description="When (UTC, the worker's clock).")
    run_id: UUID = Field(description="Prefect's id of the flow run that restored it.")
    database: Word = Field(description="Which of the set's databases.")
    method: Method = Field(description="From which of its backups.")
    host: HostName = Field(description="Where it was restored.")
    restore_seconds: float = Field(ge=0, description="How long the restore took: the site's real recovery time.")
    differences: tuple[str, ...] = Field(
        default=(), description="What differs from the manifest; a set with any is not verified."
    )


class ImageKind(NamedTuple):
    """What images are compared by, as a database's backups are by their `Kind`: of these, one replaces the other.

    Attributes:
        runbook: What made it.
        host: The node.
        method: Which makes it no database's.
    """

    runbook: str
    host: str
    method: Literal["image"] = "image"

    def __str__(self) -> str:
        return f"image of {self.host} by {self.runbook}"


class NodeImage(Strict):
    """The image of a node, which ReaR has laid beside the sites' folders."""

    host: HostName = Field(description="The node, as ReaR calls it: its folder.")
    run: Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}Z$")] = Field(description="The directory in it.")
    size_bytes: int = Field(ge=0, description="Of all its files.")

    @property
    def path(self) -> str:
        """Its directory, below that of the images."""
        return f"{self.host}/{self.run}"


class Imaged(Strict):
    """Images of nodes were made with the set, and each was seen to be whole: they go when it goes."""

    event: Literal["imaged"] = "imaged"
    at: UtcTime = Field(description="When (UTC, the worker's clock).")
    run_id: UUID = Field(description="Prefect's id of the flow run that made them.")
    images: tuple[NodeImage, ...] = Field(min_length=1, description="The images.")


class Pinned(Strict):
    """Somebody wants the set to stay, whatever the policy says."""

    event: Literal["pinned"] = "pinned"
    at: UtcTime = Field(description="When (UTC).")
    by: str = Field(min_length=1, max_length=100, description="Who.")
    why: str = Field(default="", max_length=500, description="What for.")
    until: UtcTime | None = Field(default=None, description="Until when; null until it is unpinned.")


class Unpinned(Strict):
    """The policy decides again."""

    event: Literal["unpinned"] = "unpinned"
    at: UtcTime = Field(description="When (UTC).")
    by: str = Field(min_length=1, max_length=100, description="Who.")


Record = Verified | Imaged | Pinned | Unpinned
RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="event")])


def write_record(record: Record) -> str:
    """A record as it lies on the store: one line."""
    return record.model_dump_json() + "\n"


def parse_record(text: str, where: str) -> Record:
    """Read a record.

    Args:
        text: What is in the file.
        where: Which file, for the error.

    Raises:
        RunbookError: It is damaged, or of another version of this project.
    """
    try:
        return RECORD.validate_json(text)
    except ValidationError as error:
        raise RunbookError(
            f"{where} is no record that can be read ({error.error_count()} errors)",
            "it was damaged, or another version of this project has written it; see what it says, and move it away",
        ) from error


def verified_kinds(kinds: Iterable[Kind], records: Sequence[Record]) -> frozenset[Kind]:
    """Which of a set's kinds count as verified: those whose latest restore showed no difference.

    Args:
        kinds: The kinds that the set is of.
        records: Its records, the earliest first.
    """
    latest = {(each.database, each.method): not each.differences for each in records if isinstance(each, Verified)}
    return frozenset(kind for kind in kinds if latest.get((kind.database, kind.method), False))


def images_of(records: Iterable[Record]) -> list[NodeImage]:
    """The images that belong to a set.

    Args:
        records: Its records.
    """
    return [image for record in records if isinstance(record, Imaged) for image in record.images]


def pin_of(records: Sequence[Record]) -> Pinned | None:
    """The pin that is in force, its end left aside."""
    latest = next((each for each in reversed(records) if isinstance(each, Pinned | Unpinned)), None)
    return latest if isinstance(latest, Pinned) else None


def is_pinned(records: Sequence[Record], moment: datetime) -> bool:
    """Whether a set is to stay whatever the policy says.

    Args:
        records: Its records, the earliest first.
        moment: The time (UTC) by which a pin with an end is judged.
    """
    pin = pin_of(records)
    return pin is not None and (pin.until is None or moment < pin.until)
