"""YAML as the programs read it that own a file; what is wrong with it is told by its place.

Its line is never quoted, as PyYAML's own errors do: it may be the line of a password.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

# What PyYAML raises besides its own errors where a value is not what its form or its tag says: `0b`, `2024-13-01`, `!!bool x`.
_NO_VALUE = (ValueError, KeyError, AttributeError, TypeError, OverflowError)


class InvalidYaml(ValueError):
    """A text that is no YAML, or holds a value that can't be made.

    Attributes:
        line: Where, from 1; 0 where that is not known.
    """

    def __init__(self, what: str, mark: yaml.error.Mark | None = None) -> None:
        self.line = mark.line + 1 if mark is not None else 0
        super().__init__(f"line {self.line}, column {mark.column + 1}: {what}" if mark is not None else what)


class _WithPlace:
    """Adds the place of a value that can't be made."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make a value of a node."""
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except _NO_VALUE:
            kind = str(node.tag).rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"it looks like a value of the kind {kind}, and is none", node.start_mark
            ) from None


class SafeLoader(_WithPlace, yaml.SafeLoader):
    """As `yaml.safe_load`, which openstacksdk and Ceilometer use; it does not take all that libyaml takes, as a tab."""


class HeatLoader(_WithPlace, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As Heat and its client (heat/common/template_format.py): libyaml where it is there, and a date stays text."""


HeatLoader.add_constructor("tag:yaml.org,2002:timestamp", HeatLoader.construct_yaml_str)


def parse_yaml(text: str, loader: type[SafeLoader | HeatLoader] = SafeLoader) -> Any:
    """Parse a YAML text.

    Args:
        text: The text.
        loader: What its owner parses it with.

    Raises:
        InvalidYaml: It can't be parsed, with the place and without a word of the text.
    """
    try:
        return yaml.load(text, loader)  # noqa: S506 - a SafeLoader, each of them
    except yaml.MarkedYAMLError as error:
        raise InvalidYaml(_what(error), error.problem_mark) from None
    except yaml.YAMLError:
        raise InvalidYaml("it has a character that no YAML may have") from None
    except RecursionError:
        raise InvalidYaml("it is nested too deep") from None


def _what(error: yaml.MarkedYAMLError) -> str:
    """What PyYAML says, without what it quotes of the text, but for a single character."""
    problem = error.problem or "it does not parse"
    if "constructor for the tag" in problem:
        return "a word that begins with ! is a tag, and none that is known here: a text of that kind needs quotes"
    shown = re.match(r"""(?:[^'"]|'.'|'<[^>']*>')*""", problem)
    quoted = shown[0].rstrip() if shown else problem
    began = error.context_mark
    if began is None or error.problem_mark is None or began.line == error.problem_mark.line:
        return quoted
    return f"{quoted} ({error.context}, which begins in line {began.line + 1})" if error.context else quoted
