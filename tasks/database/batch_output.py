"""What `mysql --batch` prints: a row a line, its values separated by tabs, with tabs, line breaks and backslashes escaped."""

from __future__ import annotations

import re

_ESCAPES = {"n": "\n", "t": "\t", "0": "\0"}


def parse_rows(text: str) -> list[list[str]]:
    """Read the rows, each as its values; a heading is the first of them."""
    # Not splitlines(): a value may hold any of the characters that Python takes for a line's end.
    lines = text.removesuffix("\n").split("\n") if text else []
    return [[_unescaped(value) for value in line.split("\t")] for line in lines]


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), value, flags=re.DOTALL)
