"""Where a backup is restored for a drill: a host with podman, with the image of the server, and with room for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.backup.manifest import BackupFile, Manifest
from tasks.database.desync import read_candidate
from tasks.database.mariadb import Server
from tasks.node.podman import find_container, names
from tasks.runbooks.verify_backup.drill import CopyRestore, Restore

# MariaDB's buffer pool of a drill and what it takes besides, with a reserve for whatever else the host does.
MEMORY_BYTES = 1024**3
# The system tables, and logs of InnoDB.
EMPTY_SERVER_BYTES = 512 * 1024**2
# Tables and indexes against the dump of them: one that is compressed has a tenth of the size of the text, or a fifth. Of a copy the
# manifest says how large its data is.
_GROWS = {"none": 2, "gzip": 12, "zstd": 15}

# Prints a line for each: `program NAME`, `image ID`, `memory BYTES`, `free BYTES`, `manifest SHA256`, `key PUBLIC-KEY`.
_LOOK = """
directory=$1 manifest=$2 programs=$3 identity=$4
shift 4
for program in $programs; do
  ! command -v "$program" >/dev/null || echo "program $program"
done
for image in "$@"; do
  ! podman inspect --type=image "$image" >/dev/null 2>&1 || echo "image $image"
done
awk '/^MemAvailable:/ { print "memory", $2 * 1024 }' /proc/meminfo
[ ! -d "$directory" ] || echo "free $(df -B 1 --output=avail "$directory" | tail -n 1)"
[ ! -f "$identity" ] || age-keygen -y "$identity" 2>/dev/null | sed 's/^/key /' || :
[ ! -f "$manifest" ] || echo "manifest $(sha256sum <"$manifest" | cut -d ' ' -f 1)"
"""


@dataclass(frozen=True)
class Needs:
    """What a drill needs of its host.

    Attributes:
        images: Ids of the images of the servers that were backed up.
        programs: Programs, podman among them.
        data_bytes: Most that one server's data takes.
        files_bytes: Most that the files of one restore take where they are fetched first.
        manifest: Path of the set's manifest, as the store's host has it; empty where it is not written yet.
        manifest_sha256: Its SHA-256: a host that has this very file there sees the whole set.
        identity: Path of the file that holds the private key, where files are encrypted and the site names one.
        recipients: The public keys that files are encrypted to.
    """

    images: tuple[str, ...]
    programs: tuple[str, ...]
    data_bytes: int
    files_bytes: int
    manifest: str = ""
    manifest_sha256: str = ""
    identity: str = ""
    recipients: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Seen:
    """What a host has.

    Attributes:
        programs: Of those that are needed.
        images: Of those that are needed.
        memory_bytes: Available.
        free_bytes: In the directory of drills; None where there is no such directory.
        in_place: Whether it sees the set under the same path.
        keys: The public keys whose private ones it has.
    """

    programs: frozenset[str]
    images: frozenset[str]
    memory_bytes: int
    free_bytes: int | None
    in_place: bool
    keys: frozenset[str] = frozenset()


def programs_of(restores: Sequence[Restore]) -> tuple[str, ...]:
    """The programs that restoring them needs on the host; MariaDB's own are in the image."""
    compressions = {file.compression for restore in restores for file in restore.files}
    encrypted = ("age", "age-keygen") if recipients_of(restores) else ()
    return ("podman", *sorted(compressions - {"none"}), *encrypted)


def recipients_of(restores: Sequence[Restore]) -> frozenset[str]:
    """The public keys that their files are encrypted to."""
    return frozenset(file.recipient for restore in restores for file in restore.files if file.recipient)


def needs_of(
    manifest: Manifest, manifest_path: str, sha256: str, restores: Sequence[Restore], identity: str | None = None
) -> Needs:
    """What some restores of a set need.

    Args:
        manifest: Of the set.
        manifest_path: Where it lies.
        sha256: Its SHA-256.
        restores: What is restored, one after the other.
        identity: Path of the file that holds the private key; None where the site names none.
    """
    files = {file.name: file for file in manifest.files}
    return Needs(
        images=tuple(dict.fromkeys(each.image for each in restores)),
        programs=programs_of(restores),
        data_bytes=EMPTY_SERVER_BYTES + max((_data_bytes(manifest, each) for each in restores), default=0),
        files_bytes=max((sum(files[file.name].size_bytes for file in each.files) for each in restores), default=0),
        manifest=manifest_path,
        manifest_sha256=sha256,
        identity=identity or "",
        recipients=recipients_of(restores),
    )


def _data_bytes(manifest: Manifest, restore: Restore) -> int:
    files = [file for file in manifest.files if file.name in {each.name for each in restore.files}]
    guessed = sum(map(data_bytes, files))
    known = next(each.data_bytes for each in manifest.databases if each.name == restore.database)
    return known if known and isinstance(restore, CopyRestore) else guessed


def data_bytes(file: BackupFile) -> int:
    """About what a file takes once it is loaded; rather more."""
    return file.size_bytes * _GROWS[file.compression]


def parse_seen(needs: Needs, text: str) -> Seen:
    """Read what a host has."""
    told = [line.split() for line in text.splitlines()]

    def all_of(word: str) -> list[str]:
        return [parts[1] for parts in told if len(parts) == 2 and parts[0] == word]

    free = all_of("free")
    return Seen(
        programs=frozenset(all_of("program")),
        images=frozenset(all_of("image")),
        memory_bytes=int(float((all_of("memory") or ["0"])[0])),
        free_bytes=int(free[0]) if free else None,
        in_place=all_of("manifest") == [needs.manifest_sha256],
        keys=frozenset(all_of("key")),
    )


def look(shell: Shell, needs: Needs, directory: str) -> Seen:
    """See what a host has.

    Args:
        shell: The host.
        needs: What is needed.
        directory: The directory of drills on it.
    """
    arguments = (directory, needs.manifest, " ".join(needs.programs), needs.identity, *needs.images)
    asked = script(_LOOK, *arguments, quiet=True, changes=False, says="see whether a backup can be restored here")
    return parse_seen(needs, shell.run(asked).stdout)


def lacks(needs: Needs, seen: Seen, directory: str) -> list[str]:
    """What a host lacks, each with the remedy; empty where a backup can be restored there."""
    said = [f"has no {program}: install it" for program in needs.programs if program not in seen.programs]
    if "podman" in seen.programs:
        said += [
            f"has not the image {image} of the server that was backed up: `podman pull` it, or copy it with `podman save` and "
            "`podman load` from where that server runs"
            for image in needs.images
            if image not in seen.images
        ]
    if {"age", "age-keygen"} <= seen.programs:
        said += [
            f"has not the private key of {recipient} in {needs.identity}: bring it there, readable by root alone, or name another "
            "file with `age_identity` of [store]"
            for recipient in sorted(needs.recipients - seen.keys)
        ]
    if seen.memory_bytes < MEMORY_BYTES:
        said.append(f"has {_gib(seen.memory_bytes)} of memory available instead of {_gib(MEMORY_BYTES)}")
    needed = needs.data_bytes + (0 if seen.in_place else needs.files_bytes)
    if seen.free_bytes is None:
        said.append(f"has no directory {directory}: make it, or name another one with `drill_directory` of [store]")
    elif seen.free_bytes < needed:
        said.append(
            f"has {_gib(seen.free_bytes)} free in {directory}, and the data may take {_gib(needed)}: make room, or name another "
            "directory with `drill_directory` of [store]"
        )
    return said


def serves_clients(shell: Shell, site: Site) -> str:
    """Why a host of the cluster is none for a drill: the virtual IP leads clients to its database; else empty.

    A drill takes processors and disk, and clients wait for that.
    """
    database = site.database
    try:
        container = find_container(shell, names(shell), database.container_pattern)
    except RunbookError as error:
        return error.message
    server = Server(container, database.data_directory, database.client_options, "verify-backup")
    clients = read_candidate(shell, server).clients
    return f"serves {clients} connections of clients, to which a drill would be a burden" if clients else ""


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
