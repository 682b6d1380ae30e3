"""The manifest of a backup set: what is in it, written once, when the set is sealed, and never changed.

`docs/schemas/manifest.schema.json` is made from it. What comes later (`tasks.backup.records`) lies beside the set.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from blocks.constraints import HostName, SiteName
from blocks.remote.errors import RunbookError

MANIFEST = "manifest.json"

Method = Literal["logical", "physical"]
Role = Literal["logical dump", "physical copy", "grants", "documented file"]
Compression = Literal["none", "gzip", "zstd"]
Encryption = Literal["none", "age"]

# The method of a database's backup by the file without which there is none.
_METHODS: dict[Role, Method] = {"logical dump": "logical", "physical copy": "physical"}


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError("must be in UTC")
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Names of files and folders on the store: no path, no option, nothing hidden.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
# RUNBOOK-CONTENT/STAMP-RUN, as `tasks.backup.backup_set.SetName` writes it.
SET_ID = r"^[a-z0-9-]+/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{8}$"
SetId = Annotated[str, StringConstraints(pattern=SET_ID)]


class Kind(NamedTuple):
    """What backups are compared by: of these, one replaces the other.

    Attributes:
        runbook: What made it.
        database: Which database (`overcloud`, `undercloud`).
        method: `logical` or `physical`.
    """

    runbook: str
    database: str
    method: Method

    def __str__(self) -> str:
        return f"{self.database} {self.method} by {self.runbook}"


class Strict(BaseModel):
    """What is kept on a store: an unknown field is another version's, and no guess is made about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BackupFile(Strict):
    """One file of a set, as it lies on the store."""

    name: FileName = Field(description="Name in the set's folder.")
    role: Role = Field(description="What it is in the set.")
    database: Word = Field(description="Name of the database that it belongs to.")
    size_bytes: int = Field(ge=0, description="Size as stored.")
    sha256: Sha256 = Field(description="SHA-256 of it as stored, computed while it was written.")
    compression: Compression = Field(default="none", description="How it is compressed.")
    encryption: Encryption = Field(default="none", description="How it is encrypted, after it was compressed.")
    recipient: str = Field(default="", description="Public key that it is encrypted to; empty where it is not.")

    @model_validator(mode="after")
    def _encrypted_to_somebody(self) -> Self:
        if (self.encryption == "none") != (not self.recipient):
            raise ValueError("an encrypted file has a recipient, and no other has")
        return self


class GaleraPosition(Strict):
    """Where a Galera cluster was when its data was read."""

    uuid: UUID = Field(description="UUID of the cluster's history (wsrep_cluster_state_uuid).")
    seqno: int = Field(ge=0, description="The last transaction that is in the data.")


class DatabaseBackup(Strict):
    """One database of a set."""

    name: Word = Field(description="Name that the set's files refer to (overcloud, undercloud).")
    host: HostName = Field(description="Host whose server was read.")
    server_version: str = Field(min_length=1, description="What the server says of itself (SELECT VERSION()).")
    image: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9:]*$",
        description="Id of the image of its container; empty without a container.",
    )
    galera: GaleraPosition | None = Field(default=None, description="Position of the cluster; null without Galera.")
    data_bytes: int = Field(
        default=0, ge=0, description="Size of its data directory before; 0 where nobody has looked."
    )
    contents: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="The inventory: what is in the database, as read with the dump, and before the physical copy was begun.",
    )
    contents_after_copy: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="The same, read once more when the physical copy had ended; empty where there is none. What is alike in both "
        "is in the copy.",
    )


class Manifest(Strict):
    """What is in a set, who made it, when and from where."""

    format: Literal[1] = Field(default=1, description="Version of this format.")
    site: SiteName = Field(description="The site that was backed up.")
    runbook: Word = Field(description="The runbook that made it.")
    content: Word = Field(description="What of the site it holds (database).")
    run_id: UUID = Field(description="Prefect's id of the flow run that made it.")
    started: UtcTime = Field(description="When the set was begun, by the worker's clock (UTC).")
    sealed: UtcTime = Field(
        description="When it was sealed, by the same clock; an earlier time is a clock that was set."
    )
    hosts: tuple[HostName, ...] = Field(min_length=1, description="Hosts that were backed up.")
    databases: tuple[DatabaseBackup, ...] = Field(description="The databases in it.")
    files: tuple[BackupFile, ...] = Field(min_length=1, description="Every file of the set but the manifest.")
    depends_on: tuple[SetId, ...] = Field(default=(), description="Sets that are needed to restore this one.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [file.name for file in self.files]
        databases = [database.name for database in self.databases]
        if len(set(names)) < len(names) or len(set(databases)) < len(databases):
            raise ValueError("two files or two databases have one name")
        if MANIFEST in names:
            raise ValueError("the manifest is no file of the set")
        if strangers := {file.database for file in self.files} - set(databases):
            raise ValueError(f"files of databases that are not told: {', '.join(sorted(strangers))}")
        return self

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of backup that the set is: one for each database and method."""
        files = [(file.database, _METHODS.get(file.role)) for file in self.files]
        return frozenset(Kind(self.runbook, database, method) for database, method in files if method)

    @property
    def size_bytes(self) -> int:
        """Of all files together, without the manifest."""
        return sum(file.size_bytes for file in self.files)

    @property
    def text(self) -> str:
        """The manifest as it lies on the store."""
        return self.model_dump_json(indent=1) + "\n"


def parse_manifest(text: str, where: str) -> Manifest:
    """Read a manifest.

    Args:
        text: What is in the file.
        where: Which file, for the error.

    Raises:
        RunbookError: It is damaged, or of another version of this project.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise RunbookError(
            f"{where} is no manifest that can be read ({error.error_count()} errors)",
            "it was damaged, or another version of this project has written it; restore from another set",
        ) from error


def sha256_of(text: str) -> str:
    """The SHA-256 of a text as it lies on the store."""
    return hashlib.sha256(text.encode()).hexdigest()
