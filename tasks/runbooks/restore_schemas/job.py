"""What one restore of schemas is made from: the nodes, the backup, and how long each wait may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blocks.remote.shell import Shell
from tasks.backup.choice import LATEST_VERIFIED
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import Comparison, Difference, compare
from tasks.database.copy_comparison import compare_copy
from tasks.database.mariadb import Server
from tasks.database.schema_comparison import of_schemas
from tasks.database.schema_moving import MovedSchema, drop_words
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.cleanup import Cleanup
from tasks.engine.journals import STATE_DIRECTORY
from tasks.runbooks.restore_schemas.resume import Resume
from tasks.runbooks.stored_database.database import StoredDatabase

NAME = "restore-schemas"
# Definitions of what was there and of what is restored; beside the journals.
FOLDER = f"{STATE_DIRECTORY}/{NAME}/definitions"


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        schemas: Which schemas.
        backup: Of which backup; empty for the latest verified one.
        unverified: Whether that may be one that nobody has verified.
        start_s: Seconds for a server to start.
        within_s: Seconds for each of fetching, loading, copying and comparing.
    """

    schemas: tuple[str, ...]
    backup: str
    unverified: bool
    start_s: int
    within_s: int

    @property
    def wanted(self) -> str:
        """The backup, as `tasks.backup.choice.choose` takes it."""
        return self.backup or LATEST_VERIFIED


@dataclass
class Seen:
    """What the steps of one run have seen.

    Attributes:
        backup: What the server holds into which the backup was loaded; None before that.
        not_compared: What nothing can be said of, though the backup is as its manifest says.
        differences: What is defined in another way than in the backup once all is in place.
    """

    backup: ServerContents | None = None
    not_compared: tuple[Difference, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Job:
    """What is restored: all that the steps are made from.

    Attributes:
        request: What the operator asks for.
        hosts: The nodes; on the first one all is made.
        servers: Host → its MariaDB.
        directory: Where the server to throw away lies, on the first host.
        image: The id of the image of the first node's container.
        backup: The backup.
        before: What is in it, by its manifest: read with the dump.
        after: What was read once its physical copy had ended; None for a dump.
        schemas: What is restored.
        leftovers: Schemas that a run has left which put nothing in place.
        resume: Where it is taken up.
        seen: What a step has seen that later ones compare with.
    """

    request: Request
    hosts: list[Shell]
    servers: Mapping[str, Server]
    directory: str
    image: str
    backup: StoredDatabase
    before: ServerContents
    after: ServerContents | None
    schemas: tuple[MovedSchema, ...]
    leftovers: tuple[str, ...]
    resume: Resume
    seen: Seen = field(default_factory=Seen)

    @property
    def first(self) -> Shell:
        """The node on which all is made."""
        return self.hosts[0]

    @property
    def node(self) -> Server:
        """Its MariaDB."""
        return self.servers[self.first.name]

    @property
    def pending(self) -> tuple[MovedSchema, ...]:
        """What is not in place yet."""
        return tuple(schema for schema in self.schemas if schema.name not in self.resume.in_place)

    @property
    def throwaway(self) -> ThrowawayServer:
        """The server that holds the backup meanwhile; one a host, under the name that preparing a copy takes, too."""
        return ThrowawayServer(self.image, self.directory, "copy", purpose=NAME, runbook=NAME)

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        schemas = ", ".join(schema.name for schema in self.schemas)
        kept = ", ".join(schema.kept for schema in self.schemas)
        why = f" ({self.resume.why})" if self.resume.why else ""
        return (
            f"puts {schemas} back as in {self.backup}, in the running cluster: what was written to it since is no longer seen by "
            f"clients; what is there is kept as {kept}{why}"
        )

    @property
    def drop_unfinished(self) -> Cleanup:
        """What drops the schemas that were not put in place, whatever happens."""
        schemas = [*self.leftovers, *(schema.new for schema in self.schemas)]
        return Cleanup(
            key="new schemas",
            sentence="Drop what was not put in place",
            words={self.first.name: drop_words(self.node, schemas)},
        )

    @property
    def remove_throwaway(self) -> Cleanup:
        """What removes the server that holds the backup, whatever happens."""
        return Cleanup(
            key="backup's server",
            sentence="Remove the server that holds the backup, and what it has loaded",
            words={self.first.name: self.throwaway.remove_words},
        )

    def compare(self, found: ServerContents) -> Comparison:
        """Compare what a server holds of the schemas with the backup's manifest.

        Args:
            found: What it holds.
        """
        names = [schema.name for schema in self.schemas]
        before, there = of_schemas(self.before, names), of_schemas(found, names)
        if self.after is None:
            return compare(before, there)
        return compare_copy(before, of_schemas(self.after, names), there)
