"""The backup of one database as a value: its set, its files, and the change that makes each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from blocks.remote.command import Command, command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.backup.backup_set import Received, SetName, parse_received
from tasks.backup.manifest import (
    BackupFile,
    Compression,
    DatabaseBackup,
    GaleraPosition,
    Manifest,
    Method,
    Role,
    sha256_of,
)
from tasks.backup.removal import abandon_words
from tasks.backup.store import Store
from tasks.backup.writing import IONICE, begin, fetch, receive, seal, tell
from tasks.database.contents import ServerContents
from tasks.database.contents_reading import read_contents_file
from tasks.database.documented_dump import (
    ROLE_FILE,
    ROLE_GRANTS_FILE,
    UNDERCLOUD_FILE,
    documented_dump,
    schemas_words,
    whole_server_words,
    write_grants_file,
)
from tasks.database.dumping import Compressor, contents_file, dump_pipeline, dump_words, end_words, remove_words
from tasks.database.grants_dumping import read_grants_text
from tasks.database.physical_copy import copy_pipeline, copy_words, end_copy_words
from tasks.engine.change import Call, Change
from tasks.engine.cleanup import Cleanup
from tasks.engine.journal import now
from tasks.runbooks.database_backup.request import Request, Source

CONTENT = "database"
_COMPRESSIONS: dict[str, Compression] = {".zst": "zstd", ".gz": "gzip"}
_ANY = tuple(range(256))


@dataclass
class Taken:
    """What was taken so far. In this process alone: a run that dies leaves nothing that another one could go on with.

    Attributes:
        files: Name → what the manifest tells of the file.
        contents: What is in the dump, as it was read in its own snapshot.
        found: What was found on the store of runs before.
        manifest: The manifest, once it was made: sealing twice must seal the same.
    """

    files: dict[str, BackupFile] = field(default_factory=dict)
    contents: ServerContents | None = None
    found: list[str] = field(default_factory=list)
    manifest: Manifest | None = None


@dataclass(frozen=True)
class Backup:
    """What is backed up, and where to.

    Attributes:
        request: What was asked for.
        source: The server.
        store: The store.
        run_id: Prefect's id of this flow run.
        started: When it was begun (UTC).
        methods: How it is backed up.
        compressor: What compresses on the source's host.
        copy_program: The program that makes a physical copy; empty where there is none.
        findings: What the operator should know beforehand.
        taken: What was taken so far.
    """

    request: Request
    source: Source
    store: Store
    run_id: UUID
    started: datetime
    methods: tuple[Method, ...]
    compressor: Compressor
    copy_program: str = ""
    findings: tuple[str, ...] = ()
    taken: Taken = field(default_factory=Taken)

    @property
    def name(self) -> SetName:
        """The set's name."""
        return SetName.of(self.request.runbook, CONTENT, self.started, self.run_id)

    @property
    def compression(self) -> Compression:
        """How the dump and the copy are compressed."""
        return _COMPRESSIONS[self.compressor.suffix]

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
            f"({' and '.join(self.methods)}) as {self.name} on {where}"
        )

    # -- what is undone whatever happens

    @property
    def half_written(self) -> Cleanup:
        """The set, as long as it is not sealed."""
        words = abandon_words(self.store, self.name)
        return Cleanup(
            key="half-written set", sentence="Remove the half-written set", words={self.store.shell.name: words}
        )

    @property
    def at_work(self) -> Cleanup:
        """What is at work in the container, and the file with what is in the server, which may hold secrets."""
        ends = (shlex.join(words) for words in (end_words(self.source.server), end_copy_words(self.source.server)))
        text = f"{{ {'; '.join(ends)}; }} 2>/dev/null || :; {shlex.join(remove_words(self.source.server))}"
        return Cleanup(
            key="dump",
            sentence="End the dump, and remove what it has noted of the server's contents",
            words={self.source.host.name: ("bash", "-c", text)},
        )

    # -- the changes

    def begin(self) -> Change:
        """Make room for the set, and remove what killed runs have left half written."""

        def do(_: Shell, __: Watch) -> Performed:
            self.taken.found = begin(self.store, self.name, self.run_id, now())
            return "done"

        where = f"{self.store.base}/{self.name.partial}"
        return Change((Call(f"make {where}, and remove what killed runs have left", do),), findings_after=self._found)

    def _found(self, _: Shell) -> list[str]:
        return self.taken.found

    def dump(self) -> Change:
        """Send a dump to the store, and read what is in it."""
        server, bounds = self.source.server, self.request.bounds
        pipeline = dump_pipeline(dump_words(server, bounds.hash_bytes, bounds.hash_s), self.compressor)
        write = script(pipeline, timeout_s=bounds.transfer_s, quiet=True, says="dump the database")

        def read(shell: Shell, _: Watch) -> Performed:
            self.taken.contents = read_contents_file(shell, contents_file(server))
            return "done"

        return Change(
            (
                # Ended first: with the connection of a try before, its dump in the container has not ended.
                _quietly(end_words(server), "end a dump of before"),
                self._send(self.dump_file, "logical dump", write, self.compression),
                Call(f"read {contents_file(server)}: what was in the server", read),
            )
        )

    def grants(self) -> Change:
        """Send the accounts to the store, as statements."""

        def do(shell: Shell, _: Watch) -> Performed:
            text = read_grants_text(shell, self.source.server)
            sent = Received(len(text.encode()), sha256_of(text))
            said = self.store.shell.run(receive(self.store, self.name, self.grants_file, stdin=text))
            received = parse_received(said.stdout)
            if not self.store.settings.age_recipient and received != sent:
                raise RunbookError(
                    f"{self.store.shell.name}: {self.grants_file} was written otherwise than it was sent",
                    "see what the kernel says of the store's disk and memory",
                )
            self._keep(self.grants_file, received, "grants")
            return "done"

        return Change((Call(f"read the accounts and roles as statements, to {self._on_store(self.grants_file)}", do),))

    def copy(self) -> Change:
        """Send a physical copy to the store."""
        server = self.source.server
        words = copy_words(server, self.copy_program, self.source.galera)
        pipeline = copy_pipeline(words, self.compressor, IONICE[self.store.settings.ionice])
        write = script(pipeline, timeout_s=self.request.bounds.transfer_s, quiet=True, says="copy the database")
        return Change(
            (
                _quietly(end_copy_words(server), "end a copy of before"),
                self._send(self.copy_file, "physical copy", write, self.compression),
            )
        )

    def documented_files(self) -> Change:
        """Write on the host what the document's own commands write there."""
        server, within_s = self.source.server, self.request.bounds.transfer_s
        if not self.source.galera:
            return Change((documented_dump(server, whole_server_words(server), UNDERCLOUD_FILE, within_s),))

        def grants(shell: Shell, _: Watch) -> Performed:
            shell.run(write_grants_file(ROLE_GRANTS_FILE, read_grants_text(shell, server)))
            return "done"

        return Change(
            (
                documented_dump(server, schemas_words(server), ROLE_FILE, within_s),
                Call(f"read the accounts and roles as statements, to {ROLE_GRANTS_FILE}", grants),
            )
        )

    def seal(self) -> Change:
        """Make the set whole: it appears under its name, and in the catalogue."""

        def do(_: Shell, __: Watch) -> Performed:
            self.taken.manifest = self.taken.manifest or self._manifest()
            seal(self.store, self.taken.manifest, now())
            return "done"

        return Change((Call(f"write its manifest, and rename it to {self.store.base}/{self.name}", do),))

    def _manifest(self) -> Manifest:
        contents = self.taken.contents
        if contents is None:
            raise RunbookError("nobody has read what is in the server")
        return Manifest(
            site=self.store.site,
            runbook=self.request.runbook,
            content=CONTENT,
            run_id=self.run_id,
            started=self.started,
            sealed=now(),
            hosts=(self.source.host.name,),
            databases=(
                DatabaseBackup(
                    name=self.source.database,
                    host=self.source.host.name,
                    server_version=contents.version,
                    galera=_position(contents.galera) if self.source.galera else None,
                    contents=contents.model_dump(mode="json"),
                ),
            ),
            files=tuple(self.taken.files.values()),
        )

    def _send(self, file: str, role: Role, write: Command, compression: Compression) -> Call[Shell]:
        def do(shell: Shell, _: Watch) -> Performed:
            self._keep(file, fetch(self.store, self.name, file, shell, write), role, compression)
            return "done"

        return Call(f"{write.shown} > {self._on_store(file)}", do)

    def _keep(self, file: str, received: Received, role: Role, compression: Compression = "none") -> None:
        self.taken.files[file] = tell(self.store, file, received, role, self.source.database, compression)

    def _on_store(self, file: str) -> str:
        return f"{self.store.shell.name}:{self.store.base}/{self.name.partial}/set/{file}"


def _quietly(words: tuple[str, ...], says: str) -> Command:
    """Where nothing is at work, ending it fails."""
    return command(*words, ok=_ANY, quiet=True, says=says)


def _position(told: str) -> GaleraPosition | None:
    uuid, _, seqno = told.partition(":")
    return GaleraPosition(uuid=UUID(uuid), seqno=int(seqno)) if seqno else None
