"""docs/hosts.toml: what the runbooks use of each program on a host, and since when the program has it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator, Iterator
from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from deployments.project import PROJECT

# What is in a value that a program reads as a language of its own.
_IN_VALUES = {
    ("podman", "--format"): re.compile(r"(?<=[{ ])(?:\.[A-Z][\w.]*|[a-z]+)(?=[ }])"),
    ("stat", "-c"): re.compile(r"%\w"),
    ("systemctl", "-p"): re.compile(r"\w+"),
    ("systemctl", "--property"): re.compile(r"\w+"),
    ("dd", "iflag"): re.compile(r"\w+"),
    ("df", "--output"): re.compile(r"\w+"),
    ("systemd-run", "--property"): re.compile(r"^\w+(?:=append:|=file:|=truncate:)?"),
}


class Use(BaseModel):
    """Something that is used of a program.

    Attributes:
        words: The program's own words before its options (`container stop`); a builtin of bash.
        flags: Options and operands, those that take a value with a `=` behind them.
        values: What is used in such a value.
        since: The program's first version that has it.
        otherwise: What is done where an older one is there; empty where the oldest has it.
        source: Where that was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str = ""
    flags: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    since: str = Field(pattern=r"^\d")
    otherwise: str = ""
    source: str = Field(min_length=1)


class Program(BaseModel):
    """A program on a host.

    Attributes:
        name: The program's.
        package: What it belongs to, whose version counts.
        has: The package's version of RHEL 8.2, or of the container image of that time.
        uses: What is used of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    package: str
    has: str
    uses: tuple[Use, ...]


@cache
def table() -> dict[str, Program]:
    """The whole table, by the programs' names."""
    told = tomllib.loads((PROJECT / "docs" / "hosts.toml").read_text(encoding="utf-8"))
    programs = [Program.model_validate(each) for each in told["program"]]
    assert len({program.name for program in programs}) == len(programs), "a program stands there twice"
    return {program.name: program for program in programs}


def version(text: str) -> tuple[int, ...]:
    """A version as numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def not_told(words: tuple[str, ...]) -> list[str]:
    """What these words use of their program that the table does not have.

    Args:
        words: The program's name and its own words.
    """
    name, *rest = words
    builtin = next((use for use in table()["bash"].uses if use.words == name), None)
    program = table()["bash"] if builtin else table().get(name)
    if program is None:
        return [f"the program {name}"]
    sub, rest = (name, rest) if builtin else _subcommand(program, rest)
    uses = [use for use in program.uses if use.words == sub]
    plain = [word for word in rest if not word.startswith("-")]
    if not uses or (not sub and plain and name != "bash" and any(use.words for use in program.uses)):
        return [f"{name} {' '.join(plain[:2])}"]
    flags = {flag for use in uses for flag in use.flags}
    values = {value for use in uses for value in use.values}
    return [f"{name} {sub} {each}".replace("  ", " ") for each in _unknown(program.name, rest, flags, values)]


def _subcommand(program: Program, rest: list[str]) -> tuple[str, list[str]]:
    """The longest of the program's own words that these begin with, options left out, and what comes after it."""
    plain = [word for word in rest if not word.startswith("-")]
    known = sorted({use.words for use in program.uses}, key=len, reverse=True)
    sub = next((each for each in known if plain[: len(each.split())] == each.split()), "")
    left = list(rest)
    for word in sub.split():
        left.remove(word)
    return sub, left


def _unknown(name: str, rest: list[str], flags: set[str], values: set[str]) -> Iterator[str]:
    """Go through a program's words; the word after an option that takes a value is that value."""
    taking = ""
    for word in rest:
        if taking:
            yield from _unknown_in(name, taking, word, values)
            taking = ""
        elif word == "--":
            return
        elif word.startswith("--") or {word, f"{word}="} & flags:
            taking = yield from _long(name, word, flags, values)
        elif re.match(r"-[A-Za-z]", word):
            taking = yield from _short(name, word, flags, values)
        elif name == "dd":
            yield from _long(name, word, flags, values)


def _long(name: str, word: str, flags: set[str], values: set[str]) -> Generator[str, None, str]:
    """Read `--option=value`, or dd's `operand=value`.

    Returns:
        The option, where the next word is its value.
    """
    option, equals, value = word.partition("=")
    if not {option, f"{option}="} & flags:
        yield option
    if equals:
        yield from _unknown_in(name, option, value, values)
        return ""
    return option if f"{option}=" in flags else ""


def _short(name: str, word: str, flags: set[str], values: set[str]) -> Generator[str, None, str]:
    """Read `-xB1` letter by letter, to the one that takes a value.

    Returns:
        That one, where the next word is its value.
    """
    for place, letter in enumerate(word[1:], 1):
        option, value = f"-{letter}", word[place + 1 :]
        if f"{option}=" in flags:
            yield from _unknown_in(name, option, value, values)
            return "" if value else option
        if option not in flags:
            yield option
    return ""


def _unknown_in(name: str, flag: str, value: str, values: set[str]) -> Iterator[str]:
    pattern = _IN_VALUES.get((name, flag))
    for found in pattern.findall(value) if pattern else []:
        if found not in values:
            yield f"{flag} {found}"
