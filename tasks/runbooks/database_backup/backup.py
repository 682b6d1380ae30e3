"""The backup of one database as a value: what is backed up how, the names of its files, and what is undone whatever happens."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tasks.backup.backup_set import SetName
from tasks.backup.manifest import BackupFile, Compression, Manifest, Method
from tasks.backup.removal import abandon_words
from tasks.backup.store import Store
from tasks.database.contents import ServerContents
from tasks.database.desync import resync_words
from tasks.database.dumping import Compressor, end_words, remove_words
from tasks.database.physical_copy import end_copy_words
from tasks.engine.cleanup import Cleanup
from tasks.runbooks.database_backup.request import Request, Source
from tasks.runbooks.verify_backup.drill import CopyRestore, Drill, DumpRestore, Outcome, Restore, StoredFile

CONTENT = "database"
_COMPRESSIONS: dict[str, Compression] = {".zst": "zstd", ".gz": "gzip"}


@dataclass
class Taken:
    """What was taken so far. In this process alone: a run that dies leaves nothing that another one could go on with.

    Attributes:
        files: Name → what the manifest tells of the file.
        contents: What is in the dump, as it was read in its own snapshot.
        contents_after_copy: The same, once more after the physical copy; None without one.
        found: What was found on the store of runs before.
        manifest: The manifest, once it was made: sealing twice must seal the same.
        outcomes: What restoring it came to.
    """

    files: dict[str, BackupFile] = field(default_factory=dict)
    contents: ServerContents | None = None
    contents_after_copy: ServerContents | None = None
    found: list[str] = field(default_factory=list)
    manifest: Manifest | None = None
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class Backup:
    """What is backed up, and where to.

    Attributes:
        request: What was asked for.
        source: The server.
        store: The store.
        run_id: Prefect's id of this flow run.
        started: When it was begun (UTC).
        data_bytes: Size of the data.
        methods: How it is backed up.
        compressor: What compresses on the source's host.
        copy_program: The program that makes a physical copy; empty where there is none.
        findings: What the operator should know beforehand.
        taken: What was taken so far.
        drill: Where it is restored once it is sealed; None where it can't be.
    """

    request: Request
    source: Source
    store: Store
    run_id: UUID
    started: datetime
    data_bytes: int
    methods: tuple[Method, ...]
    compressor: Compressor
    copy_program: str = ""
    findings: tuple[str, ...] = ()
    taken: Taken = field(default_factory=Taken)
    drill: Drill | None = None

    @property
    def name(self) -> SetName:
        """The set's name."""
        return SetName.of(self.request.runbook, CONTENT, self.started, self.run_id)

    @property
    def compression(self) -> Compression:
        """How the dump and the copy are compressed."""
        return _COMPRESSIONS[self.compressor.suffix]

    def read_manifest(self) -> Manifest | None:
        """The manifest, once it was made."""
        return self.taken.manifest

    @property
    def restores(self) -> tuple[Restore, ...]:
        """What will be restored of the set, to prove it."""
        database, image, recipient = self.source.database, self.source.image, self.store.settings.age_recipient or ""
        dump = StoredFile(self.dump_file, self.compression, recipient)
        grants = StoredFile(self.grants_file, recipient=recipient)
        restores: list[Restore] = [DumpRestore(database, image, dump, grants)]
        if "physical" in self.methods:
            restores.append(CopyRestore(database, image, StoredFile(self.copy_file, self.compression, recipient)))
        return tuple(restores)

    @property
    def dump_file(self) -> str:
        """Name of the dump in the set."""
        return f"{self.source.database}.sql{self.compressor.suffix}"

    @property
    def grants_file(self) -> str:
        """Name of the grants in the set."""
        return f"{self.source.database}-grants.sql"

    @property
    def copy_file(self) -> str:
        """Name of the physical copy in the set."""
        return f"{self.source.database}.mbstream{self.compressor.suffix}"

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        where = f"{self.store.shell.name}:{self.store.base}"
        return (
            f"the database of the {self.source.database}, as {self.source.host.name} has it, is backed up "
            f"({' and '.join(self.methods)}) as {self.name} in {where}"
        )

    def on_store(self, file: str) -> str:
        """Where a file of the set is written, as a plan shows it."""
        return f"{self.store.shell.name}:{self.store.base}/{self.name.partial}/set/{file}"

    @property
    def half_written(self) -> Cleanup:
        """What removes the set, as long as it is not sealed."""
        words = abandon_words(self.store, self.name)
        return Cleanup(
            key="half-written set", sentence="Remove the half-written set", words={self.store.shell.name: words}
        )

    @property
    def at_work(self) -> Cleanup:
        """What ends what is at work in the container, and removes the file of contents, which may hold secrets."""
        server = self.source.server
        ends = "; ".join(shlex.join(words) for words in (end_words(server), end_copy_words(server)))
        text = f"{{ {ends}; }} 2>/dev/null || :; {shlex.join(remove_words(server))}"
        return Cleanup(
            key="dump",
            sentence="End the dump, and remove what it has noted of the server's contents",
            words={self.source.host.name: ("bash", "-c", text)},
        )

    @property
    def desynced(self) -> Cleanup:
        """What sets a node of Galera back once its receive queue has drained."""
        words = resync_words(self.source.server, self.request.bounds.drain_s)
        return Cleanup(
            key="desync",
            sentence="Set the node back, so that the cluster waits for it again",
            words={self.source.host.name: words},
        )
