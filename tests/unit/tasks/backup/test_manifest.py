"""What a manifest is, and what is none; the published schemas are those of the code."""

from __future__ import annotations

import runpy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.remote.errors import RunbookError
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Kind, Manifest, parse_manifest, sha256_of
from tests.unit.docs.markdown import DOCS
from tests.unit.tasks.backup.samples import LOGICAL, PHYSICAL, RECIPIENT, RUN, START

FILE: dict[str, Any] = {
    "name": "undercloud.sql.zst",
    "role": "logical dump",
    "database": "undercloud",
    "size_bytes": 9,
    "sha256": sha256_of("a"),
    "compression": "zstd",
}
DATABASE: dict[str, Any] = {
    "name": "undercloud",
    "host": "undercloud",
    "server_version": "10.3.28-MariaDB-log",
    "galera": {"uuid": str(RUN), "seqno": 4711},
    "contents": {"tables": {"nova.instances": {"rows": 3}}},
}
WHOLE: dict[str, Any] = {
    "site": "lab",
    "runbook": "backup-undercloud",
    "content": "database",
    "run_id": str(RUN),
    "started": START,
    "sealed": START + timedelta(minutes=9),
    "hosts": ["undercloud"],
    "databases": [DATABASE],
    "files": [
        FILE,
        FILE | {"name": "undercloud.xb.age", "role": "physical copy", "encryption": "age", "recipient": RECIPIENT},
    ],
}


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest.model_validate(WHOLE)
    assert parse_manifest(manifest.text, "here") == manifest
    assert manifest.kinds == {LOGICAL, PHYSICAL}
    assert manifest.size_bytes == 18
    assert str(SetName.of_manifest(manifest)) == "backup-undercloud-database/2026-11-27T01-30-00Z-1a2b3c4d"
    assert str(LOGICAL) == "undercloud logical by backup-undercloud"


def test_grants_and_documented_files_alone_are_no_kind_of_backup() -> None:
    files = [FILE | {"name": role[:6], "role": role} for role in ("grants", "documented file")]
    assert Manifest.model_validate(WHOLE | {"files": files}).kinds == frozenset[Kind]()


BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"started": datetime(2026, 11, 27)}, "timezone"),
        ({"started": START.astimezone(BERLIN)}, "must be in UTC"),
        ({"files": []}, "at least 1 item"),
        ({"files": [FILE, FILE]}, "have one name"),
        ({"databases": [DATABASE, DATABASE]}, "have one name"),
        ({"databases": []}, "databases that are not told: undercloud"),
        ({"files": [FILE | {"name": "manifest.json"}]}, "no file of the set"),
        ({"files": [FILE | {"name": "../etc/passwd"}]}, "should match pattern"),
        ({"files": [FILE | {"name": ".hidden"}]}, "should match pattern"),
        ({"files": [FILE | {"encryption": "age"}]}, "has a recipient"),
        ({"files": [FILE | {"recipient": RECIPIENT}]}, "has a recipient"),
        ({"files": [FILE | {"size_bytes": -1}]}, "greater than or equal to 0"),
        ({"files": [FILE | {"sha256": "A" * 64}]}, "should match pattern"),
        ({"depends_on": ["somewhere"]}, "should match pattern"),
        ({"format": 2}, "Input should be 1"),
        ({"password": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_manifest(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Manifest.model_validate(WHOLE | changes)


@pytest.mark.parametrize("text", ["", "{", "{}", "null", '{"format": 2}'])
def test_a_damaged_one_is_told_by_its_place(text: str) -> None:
    with pytest.raises(RunbookError, match=r"/store/manifest.json is no manifest that can be read"):
        parse_manifest(text, "/store/manifest.json")


def test_the_published_schemas_are_current() -> None:
    made = runpy.run_path(str(DOCS / "make_schemas.py"))["texts"]()
    there = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").iterdir()}
    assert there == made, "run `python docs/make_schemas.py`"
