"""Write docs/schemas/*.schema.json: the formats of what lies on a backup store.

python docs/make_schemas.py
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tasks.backup.catalogue import Entry
from tasks.backup.manifest import Manifest
from tasks.backup.records import RECORD

SCHEMAS = Path(__file__).resolve().parent / "schemas"
FORMATS: dict[str, tuple[str, TypeAdapter[Any]]] = {
    "manifest": ("Manifest of a backup set", TypeAdapter(Manifest)),
    "record": ("What is put on record of a backup set later", RECORD),
    "catalogue-entry": ("Entry of the catalogue of a site's backup sets", TypeAdapter(Entry)),
}


def texts() -> dict[str, str]:
    """Return each file's name and what is in it."""
    return {f"{name}.schema.json": _text(title, kind) for name, (title, kind) in FORMATS.items()}


def _text(title: str, kind: TypeAdapter[Any]) -> str:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    # As it is written: every field is there, those with a default too.
    schema = head | kind.json_schema(mode="serialization") | {"title": title}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    for name, text in texts().items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")
