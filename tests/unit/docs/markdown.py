"""What a Markdown file holds: links, headings, code, tables."""

from __future__ import annotations

import re
from pathlib import Path

from deployments.project import PROJECT

README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
OPERATING = DOCS / "operating.md"
STEPS = DOCS / "steps.md"


def every_file() -> list[Path]:
    """The README, the changelog and all below docs/."""
    return [README, PROJECT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def links(file: Path) -> list[str]:
    """The targets of all links but those to the web."""
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", _without_blocks(file.read_text(encoding="utf-8")))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(file: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(file.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(file: Path) -> list[str]:
    """Every line of a code block and every piece of code in a sentence."""
    text = file.read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    return [*lines, *re.findall(r"`([^`\n]+)`", _without_blocks(text))]


def table(file: Path, heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without the heading itself."""
    rows = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows is not None, f"{file} has no table {heading!r}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in rows[1].splitlines()]


def _without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
