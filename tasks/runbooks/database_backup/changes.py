"""The changes that a backup is made of: each sends one file to the store, or makes the set begin and end."""

from __future__ import annotations

from uuid import UUID

from blocks.remote.command import Command, command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import CommandTimedOut, HostError, RunbookError
from blocks.remote.shell import Shell
from tasks.backup import writing
from tasks.backup.backup_set import Received, parse_received
from tasks.backup.manifest import Compression, DatabaseBackup, GaleraPosition, Manifest, Role, sha256_of
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
from tasks.database.dumping import contents_file, dump_pipeline, dump_words, end_words, read_again_words
from tasks.database.grants_dumping import read_grants_text
from tasks.database.physical_copy import copy_pipeline, copy_words, end_copy_words
from tasks.engine.change import Call, Change
from tasks.engine.journal import now
from tasks.runbooks.database_backup.backup import CONTENT, Backup

_ANY = tuple(range(256))


def begin(backup: Backup) -> Change:
    """Make room for the set, and remove what killed runs have left half written."""

    def do(_: Shell, __: Watch) -> Performed:
        backup.taken.found = writing.begin(backup.store, backup.name, backup.run_id, now())
        return "done"

    where = f"{backup.store.base}/{backup.name.partial}"
    return Change(
        (Call(f"make {where}, and remove what killed runs have left", do),),
        findings_after=lambda _: backup.taken.found,
    )


def send_dump(backup: Backup) -> Change:
    """Send a dump to the store, and read what is in it."""
    server, bounds = backup.source.server, backup.request.bounds
    words = dump_words(server, bounds.hash_bytes, bounds.hash_s)
    pipeline = dump_pipeline(None, backup.compressor)
    write = script(pipeline, *words, timeout_s=bounds.transfer_s, quiet=True, says="dump the database")

    def read(shell: Shell, _: Watch) -> Performed:
        backup.taken.contents = read_contents_file(shell, contents_file(server))
        return "done"

    return Change(
        (
            # With the connection of a try before, its dump in the container has not ended.
            _quietly(end_words(server), "end a dump of before"),
            _send(backup, backup.dump_file, "logical dump", write),
            Call(f"read {contents_file(server)}: what was in the server", read),
        )
    )


def send_grants(backup: Backup) -> Change:
    """Send the accounts to the store, as statements. They go through this process's memory, and no file but the set's."""

    def do(shell: Shell, _: Watch) -> Performed:
        text = read_grants_text(shell, backup.source.server)
        store, file = backup.store, backup.grants_file
        received = parse_received(store.shell.run(writing.receive(store, backup.name, file, stdin=text)).stdout)
        if not store.settings.age_recipient and received != Received(len(text.encode()), sha256_of(text)):
            raise RunbookError(
                f"{store.shell.name}: {file} was written otherwise than it was sent",
                "see what the kernel says of the store's disk and memory",
            )
        _keep(backup, file, received, "grants", "none")
        return "done"

    line = f"read the accounts and roles as statements, to {backup.on_store(backup.grants_file)}"
    return Change((Call(line, do),))


def send_copy(backup: Backup) -> Change:
    """Send a physical copy to the store, and read once more what is in the server.

    What was the same before the copy (in the dump's snapshot) and after it is in the copy, and so can be compared.
    """
    server, bounds = backup.source.server, backup.request.bounds
    words = copy_words(server, backup.copy_program, backup.source.galera)
    ionice = writing.IONICE[backup.store.settings.ionice]
    pipeline = copy_pipeline(backup.compressor)
    write = script(pipeline, *ionice, *words, timeout_s=bounds.transfer_s, quiet=True, says="copy the database")
    # No table's hashing is begun after hash_s; one may be at work by then.
    again = command(
        *read_again_words(server, bounds.hash_bytes, bounds.hash_s),
        timeout_s=2 * bounds.hash_s + 60,
        quiet=True,
        says="read once more what is in the server",
    )

    def read(shell: Shell, _: Watch) -> Performed:
        backup.taken.contents_after_copy = read_contents_file(shell, contents_file(server))
        return "done"

    return Change(
        (
            _quietly(end_copy_words(server), "end a copy of before"),
            _quietly(end_words(server), "end what was read before"),
            _send(backup, backup.copy_file, "physical copy", write),
            again,
            Call(f"read {contents_file(server)}: what was in the server after the copy", read),
        )
    )


def write_documented_files(backup: Backup) -> Change:
    """Write on the host what the document's own commands write there."""
    server, within_s = backup.source.server, backup.request.bounds.transfer_s
    if not backup.source.galera:
        return Change((documented_dump(server, whole_server_words(server), UNDERCLOUD_FILE, within_s),))

    def write_grants(shell: Shell, _: Watch) -> Performed:
        shell.run(write_grants_file(ROLE_GRANTS_FILE, read_grants_text(shell, server)))
        return "done"

    return Change(
        (
            documented_dump(server, schemas_words(server), ROLE_FILE, within_s),
            Call(f"read the accounts and roles as statements, to {ROLE_GRANTS_FILE}", write_grants),
        )
    )


def seal(backup: Backup) -> Change:
    """Make the set whole: it appears under its name, and in the catalogue."""

    def do(_: Shell, __: Watch) -> Performed:
        backup.taken.manifest = backup.taken.manifest or _manifest(backup)
        writing.seal(backup.store, backup.taken.manifest, now())
        return "done"

    return Change((Call(f"write its manifest, and rename it to {backup.store.base}/{backup.name}", do),))


def _manifest(backup: Backup) -> Manifest:
    source, contents, after = backup.source, backup.taken.contents, backup.taken.contents_after_copy
    if contents is None:
        raise RunbookError("nobody has read what is in the server; this is a defect of the runbook")
    database = DatabaseBackup(
        name=source.database,
        host=source.host.name,
        server_version=contents.version,
        image=source.image,
        galera=_position(contents.galera) if source.galera else None,
        data_bytes=backup.data_bytes,
        contents=contents.model_dump(mode="json"),
        contents_after_copy=after.model_dump(mode="json") if after else {},
    )
    return Manifest(
        site=backup.store.site,
        runbook=backup.request.runbook,
        content=CONTENT,
        run_id=backup.run_id,
        started=backup.started,
        sealed=now(),
        hosts=(source.host.name,),
        databases=(database,),
        files=tuple(backup.taken.files.values()),
    )


def _position(told: str) -> GaleraPosition | None:
    uuid, _, seqno = told.partition(":")
    return GaleraPosition(uuid=UUID(uuid), seqno=int(seqno)) if seqno else None


def _send(backup: Backup, file: str, role: Role, write: Command) -> Call[Shell]:
    """Let the store have what a command on the source's host writes, compressed there."""

    def do(shell: Shell, _: Watch) -> Performed:
        try:
            received = writing.fetch(backup.store, backup.name, file, shell, write)
        except (
            CommandTimedOut
        ) as error:  # as an error that no step tries again by itself: it would take as long once more
            said = f"{file} had not reached the store within {write.timeout_s:g} s"
            raise HostError(
                shell.name, said, "raise transfer_timeout_s, or bandwidth_bytes_per_s of [store]"
            ) from error
        _keep(backup, file, received, role, backup.compression)
        return "done"

    return Call(f"{write.shown} > {backup.on_store(file)}", do)


def _keep(backup: Backup, file: str, received: Received, role: Role, compression: Compression) -> None:
    told = writing.tell(backup.store, file, received, role, backup.source.database, compression)
    backup.taken.files[file] = told


def _quietly(words: tuple[str, ...], says: str) -> Command:
    """Where nothing is at work, ending it fails."""
    return command(*words, ok=_ANY, quiet=True, says=says)
