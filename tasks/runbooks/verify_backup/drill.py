"""A drill as a value: which backup is restored, where, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import BackupFile, Compression, Manifest, Method
from tasks.backup.store import Store
from tasks.database.contents import ServerContents
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.cleanup import Cleanup

# What unpacks a file, from standard input to standard output.
UNPACK: dict[Compression, tuple[str, ...]] = {"none": ("cat",), "gzip": ("gzip", "-dc"), "zstd": ("zstd", "-dqc")}
# The same of a file that is encrypted. The private key stays where it is: age alone reads it, and what it decrypts is in no file.
_DECRYPT = 'age --decrypt --identity "$1" | "${@:2}"'
_DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class StoredFile:
    """A file of the set, as far as it is known before it is written.

    Attributes:
        name: Its name in the set.
        compression: How it is compressed.
        recipient: The public key that it is encrypted to; empty where it is not.
    """

    name: str
    compression: Compression = "none"
    recipient: str = ""


@dataclass(frozen=True)
class DumpRestore:
    """One database of the set, to be restored from its dump and its grants.

    Attributes:
        database: Its name in the manifest.
        image: The image of its server's container, by its id.
        dump: The dump.
        grants: The grants; None where the dump holds the accounts.
    """

    database: str
    image: str
    dump: StoredFile
    grants: StoredFile | None = None

    @property
    def method(self) -> Method:
        """How it was backed up."""
        return "logical"

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """What it is restored from."""
        return (self.dump, self.grants) if self.grants else (self.dump,)


@dataclass(frozen=True)
class CopyRestore:
    """One database of the set, to be restored from its physical copy.

    Attributes:
        database: Its name in the manifest.
        image: The image of its server's container, by its id.
        copy: The copy.
    """

    database: str
    image: str
    copy: StoredFile

    @property
    def method(self) -> Method:
        """How it was backed up."""
        return "physical"

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """What it is restored from."""
        return (self.copy,)


Restore = DumpRestore | CopyRestore


@dataclass(frozen=True)
class Drill:
    """What is restored where.

    Attributes:
        store: The store that has the set.
        name: The set.
        run_id: Prefect's id of this flow run.
        shell: The host on which it is restored; one of the run's, so that it is locked.
        directory: A directory on it that is made for the drill and removed with it; the same for each drill of a site there, so
            that the next one finds what a killed one has left.
        restores: What is restored, one after the other.
        manifest: Reads the set's manifest; None where there is none yet, since this is the plan of a run that will write the set.
        in_place: Whether that host sees the store's files under the same paths; else they are fetched first.
        prefix: Goes before the numbers of the steps, where other steps have numbers, too.
        within_s: Seconds until each of loading and comparing is ended.
    """

    store: Store
    name: SetName
    run_id: UUID
    shell: Shell
    directory: str
    restores: tuple[Restore, ...]
    manifest: Callable[[], Manifest | None]
    in_place: bool
    prefix: str = ""
    within_s: float = _DAY_S

    def server(self, restore: Restore) -> ThrowawayServer:
        """The server into which a database is restored."""
        return ThrowawayServer(restore.image, self.directory, self.store.site)

    @property
    def cleanup(self) -> Cleanup:
        """What removes the server, whatever happens."""
        return Cleanup(
            key="drill",
            sentence="Remove the server of the drill, and what it has loaded",
            words={self.shell.name: self.server(self.restores[0]).remove_words},
        )

    def file(self, name: str) -> BackupFile | None:
        """What the manifest says of a file; None in a plan, and where it tells of none."""
        manifest = self.manifest()
        return next((file for file in manifest.files if file.name == name), None) if manifest else None

    def unpack(self, file: StoredFile) -> tuple[str, ...]:
        """What decrypts and decompresses a file on the drill's host, from standard input to standard output."""
        words = UNPACK[file.compression]
        if not file.recipient:
            return words
        return ("bash", "-o", "pipefail", "-c", _DECRYPT, "decrypt", self.store.settings.age_identity or "", *words)

    def source(self, file: StoredFile) -> str:
        """Where the drill's host has a file."""
        return f"{self.store.base}/{self.name}/{file.name}" if self.in_place else f"{self.directory}/{file.name}"


@dataclass(frozen=True)
class Outcome:
    """What one restore of a database came to.

    Attributes:
        database: Its name.
        method: From what it was restored.
        restore_seconds: How long loading took, or preparing the copy, by the host's own clock.
        differences: What differs from the manifest; empty where it is verified.
        not_compared: What nothing can be said of.
    """

    database: str
    method: Method
    restore_seconds: float
    differences: tuple[str, ...]
    not_compared: tuple[str, ...]

    @property
    def what(self) -> str:
        """What was restored; a dump goes without saying."""
        return self.database if self.method == "logical" else f"the physical copy of {self.database}"


def contents_of(manifest: Manifest, database: str, *, after_copy: bool = False) -> ServerContents:
    """What a manifest says is in a database.

    Args:
        manifest: The manifest.
        database: Name of the database.
        after_copy: Whether it is what was read once the physical copy had ended, instead of with the dump.

    Raises:
        RunbookError: It does not, or another version of this project has written it.
    """
    told = next((each for each in manifest.databases if each.name == database), None)
    contents = told and (told.contents_after_copy if after_copy else told.contents)
    if not contents:
        when = ", after its physical copy" if after_copy else ""
        raise RunbookError(
            f"the manifest does not say what is in {database}{when}, so that nothing can be compared with it"
        )
    try:
        return ServerContents.model_validate(contents)
    except ValueError as error:
        raise RunbookError(
            f"what the manifest says of {database} can't be read as an inventory",
            "another version of this project has written it; verify it with that",
        ) from error
