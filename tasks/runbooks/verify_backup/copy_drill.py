"""A physical copy is prepared, a server to throw away is started on it, and all that is in it is compared with the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from blocks.remote.shell import Shell
from tasks.database.contents import ServerContents
from tasks.database.copy_comparison import compare_copy
from tasks.database.prepared_copy import Prepared
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.change import Change
from tasks.engine.results import Results
from tasks.engine.steps import Steps
from tasks.runbooks.verify_backup.changes import fetch
from tasks.runbooks.verify_backup.drill import CopyRestore, Drill, Outcome, contents_of
from tasks.runbooks.verify_backup.restoring import (
    START_S,
    Compared,
    Number,
    changed,
    conclude,
    manifest_of,
    outcome_of,
)

_NOTHING_TO_COMPARE = "no server can be made of the copy"


def restore_copy(steps: Steps, number: Number, drill: Drill, restore: CopyRestore) -> Outcome | None:
    """Take the steps of one copy: always all of them, since what an earlier attempt has made was thrown away.

    Args:
        steps: Who walks through them: the plan, or the run.
        number: Gives the number of the next step.
        drill: The drill.
        restore: What is restored.

    Returns:
        What it came to; None in a plan.
    """
    server, database, on, host = drill.server(restore), restore.database, [drill.shell], drill.shell.name
    steps.step(number(), f"Make room for the physical copy of {database}", on, server.make_room(), always=True)
    if not drill.in_place:
        sentence = f"Fetch the physical copy of {database}"
        steps.step(number(), sentence, on, Change((fetch(drill, restore.copy),)), always=True)
    prepared = Results("what preparing the copy came to", Prepared, server.preparation.read)
    preparing = Change(
        (server.preparation.prepare(drill.source(restore.copy), drill.unpack(restore.copy), drill.within_s),)
    )
    steps.step(number(), f"Prepare the physical copy of {database}", on, preparing, always=True, results=prepared)
    made = prepared.known(host)
    problems = _problems(drill, restore, made) if made else []
    compared: Compared | None = None
    if made is None or not made.problems:
        compared, ended = _start_and_compare(steps, number, drill, restore)
        problems += [f"no server starts on it: {ended}"] if ended else []
    else:
        steps.skip(number(), f"Start a server on the physical copy of {database}", _NOTHING_TO_COMPARE)
    outcome = outcome_of(restore, made.seconds, problems, compared) if made else None
    conclude(steps, number(), drill, restore, outcome)
    return outcome


def _start_and_compare(steps: Steps, number: Number, drill: Drill, restore: CopyRestore) -> tuple[Compared | None, str]:
    """Compare what is in the copy; what differs, and why no server starts on it."""
    server, database, on, host = drill.server(restore), restore.database, [drill.shell], drill.shell.name
    ended = Results("why it has not started", str, server.why_not_started)
    start = server.start_on_copy(START_S)
    steps.step(number(), f"Start a server on the physical copy of {database}", on, start, always=True, results=ended)
    sentence = f"Compare the physical copy of {database} with the manifest"
    if why_not := ended.known(host):
        steps.skip(number(), sentence, _NOTHING_TO_COMPARE)
        return None, why_not
    compared = Results("what differs", Compared, partial(_compare, drill, restore, server))
    manifest = drill.manifest()
    schemas = contents_of(manifest, database).schemas.values() if manifest else ()
    tables = sum(len(schema.tables) for schema in schemas)
    steps.step(number(), sentence, on, server.read(drill.within_s, tables), always=True, results=compared)
    return compared.known(host), ""


def _compare(drill: Drill, restore: CopyRestore, server: ThrowawayServer, shell: Shell) -> Compared:
    return Compared.of(compare_copy(*_around(drill, restore), server.contents(shell)))


def _around(drill: Drill, restore: CopyRestore) -> tuple[ServerContents, ServerContents]:
    """What was in the server before the copy and after it."""
    manifest, database = manifest_of(drill), restore.database
    return contents_of(manifest, database), contents_of(manifest, database, after_copy=True)


def _problems(drill: Drill, restore: CopyRestore, made: Prepared) -> list[str]:
    """What is wrong with a copy before anything in it is looked at."""
    said = [*changed(drill, restore.copy, made.sha256), *made.problems]
    return said if made.problems else [*said, *_of_another(drill, restore, made)]


def _of_another(drill: Drill, restore: CopyRestore, made: Prepared) -> Iterator[str]:
    """Whether a copy is of another server, or of another time, than the manifest says.

    `restore-galera` lets nodes join by the position that is in the copy: a wrong one would lose or double what was written.
    """
    before, after = _around(drill, restore)
    # What stands behind the number is how the server was built and set up.
    if _number(made.version) != _number(before.version):
        yield f"the copy is of MariaDB {made.version or 'no version that it says'}, not {before.version}"
    (uuid, last), (copied, at) = _position(after.galera), _position(made.position)
    # Earlier than the look before the copy it may be: what a cluster has refused has a number, and changes nothing.
    if uuid and not (copied == uuid and at <= last):
        yield f"the copy's position in the cluster is {made.position or 'not in it'}, and was {after.galera} after it"


def _number(version: str) -> str:
    found = re.match(r"\d+\.\d+\.\d+", version)
    return found[0] if found else version


def _position(told: str) -> tuple[str, int]:
    """UUID and sequence number; empty where none is told."""
    uuid, _, seqno = told.partition(":")
    return (uuid, int(seqno)) if re.fullmatch(r"-?\d+", seqno) else ("", -1)
