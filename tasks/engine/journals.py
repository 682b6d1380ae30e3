"""Where journals are kept: on the first host that a runbook works on.

A runbook that works on the cloud's API alone keeps them on the worker's machine: what stands, the cloud itself says.

A folder holds `current.json` while a run has not reached its end, the one written before it beside it, and the journal of
each run that has, under its date. A file is replaced only by one that has arrived whole and lies on the disk. So a journal
that can't be read was damaged by something else, and is never taken for none: all that was kept would be forgotten.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from blocks.remote.command import script
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.state import state_directory
from tasks.engine.journal import Journal

STATE_DIRECTORY = "/var/lib/openstack-runbooks"
CURRENT = "current.json"
BEFORE = f"{CURRENT}.before"

# What arrives is told from what was sent by its length and checksum, which come in the command's own words: a worker that
# dies while it sends ends the input early, to which `cat` sees nothing wrong.
_RECEIVE = """
folder=$1 size=$2 sum=$3 name=$4
umask 077
install -d -m 700 "$folder"
cd "$folder" || exit
cat > .new
if [ "$(stat -c %s .new)" != "$size" ] || ! printf '%s  .new\\n' "$sum" | sha256sum --check --status; then
  rm -f .new
  echo "the journal did not arrive whole; what was there stays" >&2
  exit 65
fi
sync .new
"""
_REPLACE = f"""
[ ! -s {CURRENT} ] || ln -f {CURRENT} {BEFORE}
mv -T .new "$name"
sync .
"""
# In this order: killed in between, the closed journal is there, and the current one is seen to be the same run's.
_CLOSE = f"""
mv -T .new "$name"
sync .
rm -f {CURRENT} {BEFORE}
sync .
"""
# One line a file: its name, a tab, what is in it.
_READ = f"""
cd "$1" 2>/dev/null || exit 0
for f in *.json {BEFORE}; do [ ! -e "$f" ] || {{ printf '%s\\t' "$f"; tr '\\n' ' ' < "$f"; echo; }}; done
"""


class JournalKeeper(Protocol):
    """Where the journals of one runbook are."""

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the unfinished journal, if there is one, and those of finished runs.

        Raises:
            RunbookError: One of them is damaged; the message names the file and what can be done.
        """

    def write(self, journal: Journal) -> None:
        """Write the journal so that it is there whole or as it was before, whatever happens meanwhile."""

    def close(self, journal: Journal) -> None:
        """Write the finished journal under its date, so that what it kept is known to later runs; may be done again."""


class HostJournals:
    """Journals on a host.

    Args:
        shell: The host: the first of those that the runbook works on.
        runbook: The runbook's name.
    """

    def __init__(self, shell: Shell, runbook: str) -> None:
        self._shell, self._folder = shell, f"{STATE_DIRECTORY}/{runbook}"

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the journals (see `JournalKeeper`)."""
        listing = self._shell.run(script(_READ, self._folder, quiet=True, changes=False)).stdout
        files = dict(line.split("\t", 1) for line in listing.splitlines() if "\t" in line)
        return _judge(files, self._shell.name, self._folder)

    def write(self, journal: Journal) -> None:
        """Write the journal (see `JournalKeeper`)."""
        self._send(_REPLACE, CURRENT, journal, "write the journal")

    def close(self, journal: Journal) -> None:
        """Close the journal (see `JournalKeeper`)."""
        journal.finished = True
        self._send(_CLOSE, f"{journal.stamp}.json", journal, "close the journal")

    def _send(self, then: str, name: str, journal: Journal, says: str) -> None:
        text = _text(journal)
        size, checksum = str(len(text.encode())), hashlib.sha256(text.encode()).hexdigest()
        self._shell.run(script(_RECEIVE + then, self._folder, size, checksum, name, stdin=text, quiet=True, says=says))


class LocalJournals:
    """Journals on this machine, for a runbook that works on no host.

    Args:
        site: The site's name.
        runbook: The runbook's name.
    """

    def __init__(self, site: str, runbook: str) -> None:
        self._folder = state_directory() / "journals" / site / runbook

    def read(self) -> tuple[Journal | None, list[Journal]]:
        """Read the journals (see `JournalKeeper`)."""
        paths = sorted([*self._folder.glob("*.json"), *self._folder.glob(BEFORE)])
        files = {path.name: path.read_text(errors="replace") for path in paths}
        return _judge(files, "this machine", str(self._folder))

    def write(self, journal: Journal) -> None:
        """Write the journal (see `JournalKeeper`)."""
        new, current, before = self._new(journal), self._folder / CURRENT, self._folder / BEFORE
        if current.exists() and current.stat().st_size:
            before.unlink(missing_ok=True)
            before.hardlink_to(current)
        new.rename(current)
        _sync(self._folder)

    def close(self, journal: Journal) -> None:
        """Close the journal (see `JournalKeeper`)."""
        journal.finished = True
        self._new(journal).rename(self._folder / f"{journal.stamp}.json")
        _sync(self._folder)
        for name in (CURRENT, BEFORE):
            (self._folder / name).unlink(missing_ok=True)
        _sync(self._folder)

    def _new(self, journal: Journal) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._folder / ".new"
        with new.open("w") as stream:
            stream.write(_text(journal))
            stream.flush()
            os.fsync(stream.fileno())
        return new


def keeper(runbook: str, site: str, first: Shell | None) -> JournalKeeper:
    """Where a runbook's journals are: on the first of its hosts, or on this machine where it has none."""
    return HostJournals(first, runbook) if first is not None else LocalJournals(site, runbook)


def _text(journal: Journal) -> str:
    return journal.model_dump_json() + "\n"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _judge(files: Mapping[str, str], host: str, folder: str) -> tuple[Journal | None, list[Journal]]:
    finished = [
        _parse(text, host, f"{folder}/{name}", _set_aside(folder, name))
        for name, text in files.items()
        if name not in {CURRENT, BEFORE}
    ]
    if CURRENT not in files:
        return None, finished
    current = _parse(files[CURRENT], host, f"{folder}/{CURRENT}", _go_back(files.get(BEFORE), folder))
    if current.finished:
        return None, [*finished, current]
    # The run that closed it was killed before it had taken this one away.
    closed = any((journal.started, journal.run_id) == (current.started, current.run_id) for journal in finished)
    return (None if closed else current), finished


def _parse(text: str, host: str, path: str, hint: str) -> Journal:
    try:
        return Journal.model_validate_json(text)
    except ValidationError as error:
        what = f"{error.error_count()} errors" if text.strip() else "it is empty"
        raise RunbookError(f"{host}: the journal {path} is damaged and can't be read ({what})", hint) from error


def _set_aside(folder: str, name: str) -> str:
    return (
        "it is of a run that has reached its end, and says where that run kept old data: see what it says, then "
        f"`sudo mv {folder}/{name} {folder}/{name}.damaged`"
    )


def _go_back(before: str | None, folder: str) -> str:
    """What to do about a current journal that can't be read."""
    advice = "it was damaged on the disk, or written by another version of this project; do not delete it: "
    try:
        earlier = Journal.model_validate_json(before or "")
    except ValidationError:
        return (
            f"{advice}see what the hosts say, finish or revert by hand, then `sudo mv {folder}/{CURRENT} "
            f"{folder}/{CURRENT}.damaged`"
        )
    kept = "".join(f"; {what}: {where}" for what, where in earlier.kept.items())
    return (
        f"{advice}the one written before it is whole and says that step {earlier.begun or '-'} was begun{kept}. Only the "
        f"step after that may have been begun since: look at the hosts, then `sudo cp {folder}/{BEFORE} "
        f"{folder}/{CURRENT}` and start this runbook again"
    )
