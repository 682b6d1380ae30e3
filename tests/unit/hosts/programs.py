"""What a command of a runbook runs on its host: each program with its words, through every program that starts another."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from tests.unit.hosts.shell_text import commands_in

Words = tuple[str, ...]
# What systemd-run is told to run at a unit's stop.
_EXEC_LINE = re.compile(r"--property=(Exec\w+)=[-@]*(.*)", re.DOTALL)


def programs(words: Sequence[str]) -> Iterator[Words]:
    """Every program that a command runs, with the words that are its own, the program's name first."""
    words = tuple(words)
    if not words or words[0].startswith("$"):  # a name that only the host knows
        return
    name = PurePosixPath(words[0]).name
    own, started = _STARTS.get(name, _starts_nothing)(words)
    yield (name, *own[1:])
    for each in started:
        yield from programs(each)


def scripts(words: Sequence[str]) -> Iterator[str]:
    """Every script in a command, those that a script gives to another bash too."""
    return (own[-1] for own in programs(words) if own[0] == "bash" and "-c" in own)


def _starts_nothing(words: Words) -> tuple[Words, list[Words]]:
    return words, []


def _after(words: Words, values: str = "", operands: int = 0) -> int:
    """Where a program's own words end: behind its options, those in `values` with a word more, and its operands."""
    place = 1
    while place < len(words) and words[place].startswith("-"):
        if words[place] == "--":
            return place + 1
        place += 2 if words[place] in values.split() else 1
    return place + operands


def _prefix(values: str = "", operands: int = 0) -> Callable[[Words], tuple[Words, list[Words]]]:
    def split(words: Words) -> tuple[Words, list[Words]]:
        end = _after(words, values, operands)
        return words[:end], [words[end:]]

    return split


def _env(words: Words) -> tuple[Words, list[Words]]:
    end = next((place for place, word in enumerate(words) if place and "=" not in word), len(words))
    return words[:1], [words[end:]]


def _bash(words: Words) -> tuple[Words, list[Words]]:
    end = _after(words, "-o")
    if "-c" not in words[:end] or end >= len(words):
        return words, []
    return words[: end + 1], list(commands_in(words[end], words[end + 2 :]))


def _podman(words: Words) -> tuple[Words, list[Words]]:
    if words[1:2] == ("exec",):
        end = 1 + _after(words[1:], "-u --user -e --env -w --workdir", operands=1)
        return words[:end], [words[end:]]
    if words[1:2] == ("run",):
        end = 1 + _after(words[1:], "--network --entrypoint -v --volume --name -e --env", operands=1)
        entrypoint = [words[words.index("--entrypoint") + 1]] if "--entrypoint" in words else []
        return words[:end], [(*entrypoint, *words[end:])]
    return words, []


def _trap(words: Words) -> tuple[Words, list[Words]]:
    return words, list(commands_in(words[1], []))


def _systemd_run(words: Words) -> tuple[Words, list[Words]]:
    end = _after(words)
    # systemd makes one $ of two; $ and a letter would be its own variable.
    inner = tuple(word.replace("$$", "$") for word in words[end:])
    lines = [found[2] for word in words[:end] if (found := _EXEC_LINE.match(word))]
    return words[:end], [inner, *(tuple(each.replace("$$", "$") for each in shlex.split(line)) for line in lines)]


_STARTS: dict[str, Callable[[Words], tuple[Words, list[Words]]]] = {
    "sudo": _prefix("-u"),
    "timeout": _prefix("-k", operands=1),
    "setsid": _prefix(),
    "ionice": _prefix("-c -n"),
    "exec": _prefix(),
    "xargs": _prefix("-n -P"),
    "env": _env,
    "bash": _bash,
    "podman": _podman,
    "trap": _trap,
    "systemd-run": _systemd_run,
}
