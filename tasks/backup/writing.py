"""How a set is written: room is made, each file is received, the manifest seals it.

Whoever writes holds the lock of the store's host. Nothing of a set is to be seen under its name before it is whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from blocks.remote.command import Command, question, script
from blocks.remote.errors import RunbookError
from blocks.remote.relay import relay
from blocks.remote.shell import Shell
from tasks.backup.backup_set import BEGIN, RECEIVE, SEAL, Received, SetName, parse_received
from tasks.backup.catalogue import Catalogue, Entry, SealedSet
from tasks.backup.manifest import MANIFEST, BackupFile, Compression, Manifest, Role, parse_manifest, sha256_of
from tasks.backup.store import Store

_DAY_S = 24 * 3600.0
# For the receiver of a first try, whose connection was lost: it has its data to sync.
_PATIENCE_S = 60.0
# Whether a host has the store mounted: it sees the half-written set under the same path, may write and lock files there, and can
# encrypt where that is wanted.
_IS_MOUNTED = '[ -w "$1/set" ] && flock -n -s "$1/lock" true && { [ -z "$2" ] || command -v age >/dev/null; }'
# The first so many words write what the others receive.
_WRITE_MOUNTED = 'count=$1; shift; "${@:1:count}" | "${@:count+1}"'
IONICE = {"idle": ("ionice", "-c", "3"), "best-effort": ("ionice", "-c", "2", "-n", "7"), "none": ()}


def begin(store: Store, name: SetName, run_id: UUID, at: datetime) -> list[str]:
    """Make room for a set, and remove what killed runs have left half written. May be done again.

    Args:
        store: The store.
        name: Of the set that will be written.
        run_id: Prefect's id of this flow run.
        at: The time (UTC).

    Returns:
        What was found of other runs, in sentences.

    Raises:
        RunbookError: There are sets, and no catalogue of them.
        CommandFailed: A set of this name is there.
    """
    found = store.catalogue()
    if found.missing:
        raise catalogue_missing(store)
    arguments = (store.settings.path, store.site, name.folder, name.stamp)
    said = store.shell.run(script(BEGIN, *arguments, says="make room for a backup", quiet=True)).stdout
    if not found.last_number:
        store.add_entry(lambda seen: None if seen.last_number else seen.next_entry("begun", at, run_id))
    return [_told(*line.split("\t")) for line in said.splitlines()]


def _told(what: str, path: str) -> str:
    if what == "removed":
        return f"{path} was left half written by a run that was killed, and is removed"
    return f"{path} is still being written by a run that has ended"


def receive(store: Store, name: SetName, file: str, timeout_s: float = _DAY_S, stdin: str | None = None) -> Command:
    """Make the command that receives one file of a set on its standard input.

    What it prints, `parse_received` reads. An input that ends early looks to it like one that is whole: compare what it prints
    with what was sent, and see how the sender ended.

    Args:
        store: The store.
        name: The set, which was begun.
        file: The file's name.
        timeout_s: Seconds until it is ended.
        stdin: What it receives, where that is at hand.
    """
    settings = store.settings
    return script(
        RECEIVE,
        f"{store.base}/{name.partial}",
        file,
        settings.age_recipient or "",
        f"{_PATIENCE_S:g}",
        *IONICE[settings.ionice],
        stdin=stdin,
        stdin_is=file,
        says=f"receive {file} of {name}",
        quiet=True,
        timeout_s=timeout_s,
    )


def fetch(store: Store, name: SetName, file: str, source: Shell, write: Command) -> Received:
    """Get one file of a set from another host.

    Where the store is of kind `nfs` and mounted on that host, it is written there; but not where the site limits the bandwidth, to
    which no program of the hosts keeps. Else it goes through this process.

    Args:
        store: The store.
        name: The set, which was begun.
        file: The file's name.
        source: The host that has the data.
        write: Writes the file to standard output; its time limit is that of the whole.

    Returns:
        What was written, and lies on the store's disk.

    Raises:
        RunbookError: What `blocks.remote.relay.relay` raises; or what was written is not what was sent.
    """
    settings = store.settings
    if settings.kind == "nfs" and settings.bandwidth_bytes_per_s is None and _is_mounted(store, name, source):
        return _write_mounted(store, name, file, source, write)
    sent = relay(source, write, store.shell, receive(store, name, file), store.settings.bandwidth_bytes_per_s)
    received = parse_received(sent.answer)
    if not store.settings.age_recipient and received != Received(sent.size_bytes, sent.sha256):
        raise RunbookError(
            f"{store.shell.name}: {file} of {name} was written otherwise than it was sent: {received.size_bytes} bytes instead of "
            f"{sent.size_bytes}, or others",
            "see what the kernel says of the store's disk and memory, then start this runbook again",
        )
    return received


def _is_mounted(store: Store, name: SetName, source: Shell) -> bool:
    arguments = (f"{store.base}/{name.partial}", store.settings.age_recipient or "")
    look = script(
        _IS_MOUNTED, *arguments, ok=tuple(range(124)), quiet=True, says="see whether the store is mounted here"
    )
    return source.run(look).exit_code == 0


def _write_mounted(store: Store, name: SetName, file: str, source: Shell, write: Command) -> Received:
    words = (str(len(write.words)), *write.words, *receive(store, name, file).words)
    both = script(
        _WRITE_MOUNTED, *words, timeout_s=write.timeout_s, quiet=True, says=f"{write.says}, to the mounted store"
    )
    return parse_received(source.run(both).stdout)


def tell(
    store: Store, file: str, received: Received, role: Role, database: str, compression: Compression = "none"
) -> BackupFile:
    """Tell of a received file as the manifest does: with its encryption, where the store encrypts.

    Args:
        store: The store.
        file: The file's name.
        received: What was received.
        role: What it is in the set.
        database: The database that it belongs to.
        compression: How it was compressed before it was sent.
    """
    recipient = store.settings.age_recipient or ""
    return BackupFile(
        name=file,
        role=role,
        database=database,
        size_bytes=received.size_bytes,
        sha256=received.sha256,
        compression=compression,
        encryption="age" if recipient else "none",
        recipient=recipient,
    )


def seal(store: Store, manifest: Manifest, at: datetime) -> SetName:
    """Make a set whole: its manifest is written, and it appears under its name and in the catalogue. May be done again.

    Args:
        store: The store.
        manifest: What was received.
        at: The time (UTC).

    Raises:
        CommandFailed: A file is not there, or another one is; the set stays half written.
        RunbookError: The manifest is another site's; there are sets, and no catalogue of them.
    """
    _check_site(store, manifest)
    name, text = SetName.of_manifest(manifest), manifest.text
    files = [word for file in manifest.files for word in (file.name, str(file.size_bytes))]
    arguments = (f"{store.base}/{name.folder}", name.stamp, str(len(text.encode())), sha256_of(text), *files)
    store.shell.run(script(SEAL, *arguments, stdin=text, stdin_is=MANIFEST, says=f"seal {name}", quiet=True))
    _list(store, manifest, "sealed", manifest.run_id, at)
    return name


def read_unlisted(store: Store, name: SetName) -> Manifest:
    """Read the manifest of a sealed set that the catalogue does not know, and make sure that it is this set's.

    Args:
        store: The store.
        name: One of `Catalogue.unlisted`.

    Raises:
        RunbookError: Its manifest can't be read, or is another set's; a file is missing, or has another size.
    """
    where = f"{store.base}/{name}/{MANIFEST}"
    text = store.shell.run(question("cat", where)).stdout
    manifest = parse_manifest(text, where)
    _check_site(store, manifest)
    if SetName.of_manifest(manifest) != name or manifest.text != text:
        raise RunbookError(f"{store.shell.name}: {where} is the manifest of another set")
    if wrong := store.check_files(name, manifest, sums=False):
        raise RunbookError(f"{store.shell.name}: {name}: {'; '.join(wrong)}")
    return manifest


def list_unlisted(store: Store, manifest: Manifest, run_id: UUID, at: datetime) -> None:
    """Put a set into the catalogue that was sealed by a run which was killed before it could. May be done again.

    Args:
        store: The store.
        manifest: Of the set (`read_unlisted`).
        run_id: Prefect's id of this flow run.
        at: The time (UTC).

    Raises:
        RunbookError: There is no catalogue.
    """
    _list(store, manifest, "found", run_id, at)


def catalogue_missing(store: Store) -> RunbookError:
    """What is said where there are sets, and no catalogue of them: it is never made anew in silence."""
    return RunbookError(
        f"{store.shell.name}: there are backups in {store.base}, and their catalogue is gone",
        f"put {store.base}/catalogue back from wherever it went; or move {store.base} aside, and a new one is begun with the "
        "next backup",
    )


def _check_site(store: Store, manifest: Manifest) -> None:
    if manifest.site != store.site:
        raise RunbookError(f"this is a backup of site {manifest.site}, and the store is that of {store.site}")


def _list(store: Store, manifest: Manifest, event: Literal["sealed", "found"], run_id: UUID, at: datetime) -> None:
    sealed = SealedSet.of(manifest)

    def entry(catalogue: Catalogue) -> Entry | None:
        if not catalogue.last_number:
            raise catalogue_missing(store)
        if any(each.sealed == sealed for each in catalogue.entries):
            return None
        return catalogue.next_entry(event, at, run_id).model_copy(update={"sealed": sealed})

    store.add_entry(entry)
