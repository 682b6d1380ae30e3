"""What was measured, as a file that later benchmarks join, and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from deployments.project import PROJECT

_FILE = PROJECT / "build" / "bench.json"
_TIMES = PROJECT / "build" / "bench-times.json"


@dataclass(frozen=True)
class Result:
    """One comparison.

    Attributes:
        name: What is compared.
        ours_s: Our seconds.
        other_s: The other's seconds; None where there is no other and `aim` is in seconds.
        ratio: Ours to other.
        aim: What the ratio, or `ours_s`, should be at most.
    """

    name: str
    ours_s: float
    other_s: float | None
    ratio: float | None
    aim: float

    @property
    def reached(self) -> bool:
        """Whether it is within its aim."""
        return (self.ours_s if self.ratio is None else self.ratio) <= self.aim


def compare(name: str, ours_s: Sequence[float], other_s: Sequence[float], aim: float) -> Result:
    """Make a comparison of medians."""
    ours, other = median(ours_s), median(other_s)
    return Result(name, round(ours, 2), round(other, 2), round(ours / other, 3), aim)


def write(results: Iterable[Result]) -> None:
    """Put results into the file, in the place of older ones of the same names."""
    joined = {result["name"]: result for result in _read(_FILE, [])}
    joined |= {result.name: asdict(result) for result in results}
    _write(_FILE, list(joined.values()))


def times(size_mb: int) -> dict[str, list[float]]:
    """The seconds that each contender took at this size, in every round of its last runs."""
    found: dict[str, list[float]] = _read(_TIMES, {}).get(str(size_mb), {})
    return found


def note_time(size_mb: int, contender: str, seconds: float, first: bool) -> None:
    """Note a contender's seconds, so that the others can be run on another day.

    Args:
        size_mb: Of the databases.
        contender: Its name.
        seconds: What it took.
        first: Whether this is its first round: those of earlier days count no more.
    """
    known = _read(_TIMES, {})
    noted = known.setdefault(str(size_mb), {})
    noted[contender] = [*([] if first else noted.get(contender, [])), round(seconds, 2)]
    _write(_TIMES, known)


def table(results: Sequence[Result]) -> str:
    """The results for a terminal."""
    if not results:
        return "nothing to compare with yet: run the others, too"
    rows = [("", "ours", "other", "ratio", "aim", "")]
    for result in results:
        unit = " s" if result.ratio is None else ""
        other = "" if result.other_s is None else f"{result.other_s:.1f} s"
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        ours = f"{result.ours_s:.4f} s" if result.ratio is None else f"{result.ours_s:.1f} s"
        verdict = "" if result.reached else "MISSED"
        rows.append((result.name, ours, other, ratio, f"≤ {result.aim}{unit}", verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _read(path: Path, otherwise: Any) -> Any:
    if not path.exists():
        return otherwise
    return json.loads(path.read_text())


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=2) + "\n")
    new.rename(path)
