"""The numbers that a group scales by, as its template writes them: a literal, or a parameter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """The bounds of a group.

    Attributes:
        min_size: `min_size`.
        max_size: `max_size`.
    """

    min_size: int
    max_size: int


class UnresolvedProperty(Exception):
    """A property is no number, and none can be made of it without Heat."""


def read_number(value: Any, parameters: Mapping[str, Any], what: str) -> float:
    """Read a number of a template.

    Args:
        value: As the template writes it: a number, its text, or `get_param` with a name or a path into a parameter.
        parameters: The stack's parameters with their values, as Heat tells them: all of them text, JSON for what has parts.
        what: What it is, as the beginning of a sentence.

    Raises:
        UnresolvedProperty: It is something else; with a sentence.
    """
    found = _resolve(value, parameters)
    try:
        number = float(found)
        if isinstance(found, bool) or not math.isfinite(number):
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        shown = "" if found is value or found is None else f", which is {found!r}"
        raise UnresolvedProperty(
            f"{what} is written as {json.dumps(value, default=str)}{shown}: only a number, or a parameter that is one, can be "
            "read here"
        ) from None
    return number


def read_word(value: Any, parameters: Mapping[str, Any], what: str) -> str:
    """Read a word of a template: itself, or a parameter's; as `read_number`.

    Raises:
        UnresolvedProperty: It is something else; with a sentence.
    """
    found = _resolve(value, parameters)
    if not isinstance(found, str):
        written = json.dumps(value, default=str)
        raise UnresolvedProperty(
            f"{what} is written as {written}: only a word, or a parameter that is one, can be read here"
        )
    return found


def _resolve(value: Any, parameters: Mapping[str, Any]) -> Any:
    """What a parameter is, where the value names one; else the value."""
    if not (isinstance(value, Mapping) and set(value) in ({"get_param"}, {"Ref"})):
        return value
    (named,) = value.values()
    return _resolve_path(named if isinstance(named, list) else [named], parameters)


def _resolve_path(path: list[Any], parameters: Mapping[str, Any]) -> Any:
    """What a path leads to; None where it leads nowhere."""
    if not path:
        return None
    name, *steps = path
    value = parameters.get(str(name))
    for step in steps:
        value = _parse_parameter(value)
        try:
            value = value[int(step)] if isinstance(value, list) else value[str(step)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def _parse_parameter(value: Any) -> Any:
    """A parameter that has parts: told as JSON, or as a list with commas."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value.split(",")


def read_sizes(
    group: str, properties: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[Sizes | None, list[str]]:
    """Read the bounds of a group.

    Args:
        group: Its resource's name.
        properties: As its template writes them.
        parameters: See `read_number`.

    Returns:
        The bounds, None where they can't be read; and what keeps such a group from being checked.
    """
    numbers, reasons = [], []
    for name in ("min_size", "max_size"):
        try:
            numbers.append(int(read_number(properties.get(name), parameters, f"{name} of group {group}")))
        except UnresolvedProperty as unresolved:
            reasons.append(str(unresolved))
    if reasons:
        return None, reasons
    least, most = numbers
    if least < 1:
        reasons.append(
            f"min_size of group {group} is {least}: a group without a member has none to load; give it 1 or more"
        )
    if most <= least:
        reasons.append(f"group {group} has at least {least} and at most {most} members, so there is nothing to scale")
    return Sizes(least, most), reasons
