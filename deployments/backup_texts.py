"""What `python -m deployments backups` prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.manifest import Manifest
from tasks.backup.records import Imaged, Record, Unpinned, Verified, images_of, pin_of


def problems_of(catalogue: Catalogue) -> list[str]:
    """What is wrong with the catalogue, or half done."""
    said = ["there are backups, and their catalogue is gone"] if catalogue.missing else []
    said += list(catalogue.problems)
    said += [f"{name} is not in the catalogue" for name in catalogue.unlisted]
    said += [
        f"{name} is half written: by a run that is at work, or by one that was killed" for name in catalogue.partial
    ]
    said += [f"{name} is being removed, or was when a run was killed" for name in catalogue.removing]
    return said


def as_row(stored: StoredSet) -> dict[str, Any]:
    """A set as one row of the list."""
    pin = pin_of(stored.records)
    restores = [each for each in stored.records if isinstance(each, Verified)]
    return {
        "id": str(stored.name),
        "started": stored.sealed.started.isoformat().replace("+00:00", "Z"),
        "size_bytes": stored.sealed.size_bytes,
        "kinds": [f"{kind.database} {kind.method}" for kind in stored.sealed.kinds],
        "verified": sorted(f"{kind.database} {kind.method}" for kind in stored.verified),
        "restore_seconds": {f"{each.database} {each.method}": each.restore_seconds for each in restores},
        "images": {image.path: image.size_bytes for image in images_of(stored.records)},
        "pinned": None if pin is None else pin.model_dump(mode="json", exclude={"event"}),
        "problem": stored.problem,
    }


def list_text(catalogue: Catalogue, notes: Sequence[str], as_json: bool) -> str:
    """Write the list of a site's sets, the latest first.

    Args:
        catalogue: What is on the store.
        notes: What an operator must know besides.
        as_json: For programs.
    """
    rows = [as_row(stored) for stored in reversed(catalogue.sets)]
    if as_json:
        head = {"site": catalogue.site, "entries": len(catalogue.entries)}
        return json.dumps(head | {"backups": rows, "notes": list(notes)}, indent=2)
    cells = [[row["id"], size(_whole_bytes(row)), ", ".join(_what(row)), _state(row)] for row in rows]
    lines = table(["BACKUP", "SIZE", "OF", "STATE"], cells) if cells else []
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])


def _what(row: dict[str, Any]) -> list[str]:
    count = len(row["images"])
    return [*row["kinds"], *([f"{count} image{'s'[: count > 1]}"] if count else [])]


def _whole_bytes(row: dict[str, Any]) -> int:
    """What a set takes on the store, with the images that belong to it."""
    return int(row["size_bytes"] + sum(row["images"].values()))


def _state(row: dict[str, Any]) -> str:
    """Whether a set can be relied on, in a few words."""
    if row["problem"]:
        return f"DAMAGED: {row['problem']}"
    if len(row["verified"]) == len(row["kinds"]):
        state = f"verified, restored in {_took(row['restore_seconds'])}" if row["kinds"] else "-"
    else:
        state = f"verified: {', '.join(row['verified'])} alone" if row["verified"] else "not verified"
    return f"{state}; pinned by {row['pinned']['by']}" if row["pinned"] else state


def _took(seconds: Mapping[str, float]) -> str:
    """How long each of a set's restores took; where there is one alone, it goes without saying which."""
    if len(seconds) == 1:
        return f"{next(iter(seconds.values())):.0f} s"
    return ", ".join(f"{each:.0f} s ({kind})" for kind, each in sorted(seconds.items()))


def size(number: float) -> str:
    """Write so many bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write rows under their heads, each column as wide as it must be."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)
    ]


def show_text(stored: StoredSet, manifest: Manifest, as_json: bool) -> str:
    """Write all that is known of a set; of what is in its databases, the length."""
    if as_json:
        records = [record.model_dump(mode="json") for record in stored.records]
        return json.dumps(as_row(stored) | {"manifest": manifest.model_dump(mode="json"), "records": records}, indent=2)
    lines = [
        f"{stored.name}",
        f"  {_state(as_row(stored))}",
        f"  made by {manifest.runbook} of site {manifest.site}, flow run {manifest.run_id}",
        f"  begun {manifest.started:%Y-%m-%d %H:%M:%S} UTC, sealed {manifest.sealed:%Y-%m-%d %H:%M:%S} UTC",
        *(f"  needs {each}" for each in manifest.depends_on),
    ]
    for database in manifest.databases:
        at = f", at {database.galera.uuid}:{database.galera.seqno}" if database.galera else ""
        read = f", all of it read in {took} s" if isinstance(took := database.contents.get("took_s"), int) else ""
        lines.append(f"  database {database.name} of {database.host}, {database.server_version}{at}{read}")
    lines.append("")
    files = [
        [each.name, size(each.size_bytes), each.role, each.compression, each.encryption, each.sha256[:16]]
        for each in manifest.files
    ]
    lines += table(["FILE", "SIZE", "WHAT", "COMPRESSED", "ENCRYPTED", "SHA-256"], files)
    if stored.records:
        lines += ["", *(_told(record) for record in stored.records)]
    return "\n".join(lines)


def _told(record: Record) -> str:
    at = f"{record.at:%Y-%m-%d %H:%M} UTC"
    if isinstance(record, Verified):
        what = f"{record.database} {record.method} restored on {record.host} in {record.restore_seconds:.0f} s"
        return f"{at}  {what}: " + ("; ".join(record.differences) or "no difference")
    if isinstance(record, Imaged):
        images = ", ".join(f"{image.path} ({size(image.size_bytes)})" for image in record.images)
        return f"{at}  images: {images}"
    if isinstance(record, Unpinned):
        return f"{at}  unpinned by {record.by}"
    until = f" until {record.until:%Y-%m-%d %H:%M} UTC" if record.until else ""
    return f"{at}  pinned by {record.by}{until}" + (f": {record.why}" if record.why else "")
