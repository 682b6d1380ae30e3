"""Write docs/departures.md from the runbooks' flows/*.departures.toml.

python docs/make_departures.py
"""

from pathlib import Path

from tasks.engine.departures import Departure, departures_of

DOCS = Path(__file__).resolve().parent
FLOWS = DOCS.parent / "flows"
HEAD = """\
# Departures from the documents

<!-- Made by `python docs/make_departures.py` from flows/*.departures.toml: change those, and run it again. -->

Where a runbook does something else than its document, and why. The report of every run ends with the same table.
A step with a letter (15a) is not in the document; V1, V3 and V4 are its verification.
"""


def text() -> str:
    """Return the whole document."""
    parts = [HEAD]
    for file in sorted(FLOWS.glob("*.departures.toml")):
        runbook = file.name.removesuffix(".departures.toml").replace("_", "-")
        document = departures_of(runbook, FLOWS)
        if not document.departures:
            continue
        rows = ["| Step | Documented | Instead | Why |", "|---|---|---|---|", *map(_row, document.departures)]
        parts.append(f"## {runbook}\n\n{document.source}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(departure: Departure) -> str:
    cells = (departure.step, departure.documented, departure.instead, departure.why)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(words: str) -> str:
    """Escape what Markdown would take for a table's or a tag's."""
    return words.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*").replace("\n", " ")


if __name__ == "__main__":
    (DOCS / "departures.md").write_text(text(), encoding="utf-8")
