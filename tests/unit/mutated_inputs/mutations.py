"""Spoils texts, each time in the same way for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# A file that is spoilt anew fails under its number alone: `Random(f"{SEED} …")` makes it again.
SEED = 20261127

# What means something to YAML, JSON, SQL or known_hosts, and stands where nobody meant it.
_STRAY = (
    *(
        "\t",
        "@",
        "%",
        "*",
        "&a ",
        "!x ",
        "!!bool ",
        ": ",
        " #",
        '"',
        "'",
        "`",
        "[",
        "]",
        "{",
        "}",
        "|",
        ">",
        "- ",
        "? ",
    ),
    *(
        "~",
        "null",
        "<<: ",
        "\ufeff",
        "\x00",
        "\x85",
        "\r",
        ";",
        "\\",
        "--",
        "/*",
        "*/",
        "é",
        "\u2028",
        "0",
        "-1",
        "1e999",
    ),
)
# What stands in a value's place.
_VALUES = (
    *(
        "",
        "null",
        "[]",
        "{}",
        "[a, b]",
        "{a: b}",
        "a: b",
        "yes",
        "7",
        "-3",
        "1.5",
        ".nan",
        ".inf",
        "2024-02-30",
        "0000-00-00",
    ),
    *(
        "2031-12-24",
        "0x_",
        "0b_",
        "!!int x",
        "*x",
        "&x",
        "!y z",
        "@x",
        "%x",
        '"',
        "'x",
        "|",
        "1e999",
        "<<",
        "!!binary aGk=",
        "a" * 300,
    ),
)

Mutation = Callable[[Random, list[str]], list[str]]


def _place(random: Random, lines: list[str]) -> int:
    return random.randrange(len(lines))


def _drop(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    return lines[:at] + lines[at + random.randint(1, 3) :]


def _repeat(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    return lines[: at + 1] + lines[at:]


def _swap(random: Random, lines: list[str]) -> list[str]:
    one, other = _place(random, lines), _place(random, lines)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def _indent(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    line = lines[at]
    lines[at] = random.choice([" " + line, "\t" + line, line.lstrip(" "), line.removeprefix("  "), "    " + line])
    return lines


def _stray(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    column = random.randint(0, len(lines[at]))
    lines[at] = lines[at][:column] + random.choice(_STRAY) + lines[at][column:]
    return lines


def _cut(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    begin, end = sorted(random.randint(0, len(lines[at])) for _ in range(2))
    lines[at] = lines[at][:begin] + lines[at][end:]
    return lines


def _value(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    name, colon, _ = lines[at].partition(":")
    lines[at] = f"{name}{colon} {random.choice(_VALUES)}" if colon else f"{lines[at]} {random.choice(_VALUES)}"
    return lines


def _end(random: Random, lines: list[str]) -> list[str]:
    at = _place(random, lines)
    return [*lines[:at], lines[at][: random.randint(0, len(lines[at]))]]


# The value's twice: that is where people write.
_MUTATIONS: tuple[Mutation, ...] = (_drop, _repeat, _swap, _indent, _stray, _cut, _value, _value, _end)


def mutate(text: str, kind: str, number: int) -> bytes:
    """Spoil a text, one to three times.

    Args:
        text: As it should be.
        kind: What it is, for the seed.
        number: Which of its kind.
    """
    random = Random(f"{SEED} {kind} {number}")  # noqa: S311 - the same each time
    lines = text.split("\n")
    for _ in range(random.randint(1, 3)):
        lines = random.choice(_MUTATIONS)(random, lines) or [""]
    mutated = "\n".join(lines)
    encoding = random.choices(("utf-8", "utf-16", "latin-1"), (40, 1, 1))[0]
    return mutated.encode(encoding, errors="replace")
