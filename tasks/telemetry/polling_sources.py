"""The sources of a polling file, read and judged as Ceilometer's agents do (ceilometer/agent.py, ceilometer/polling/manager.py).

With the agents' own YAML parser: what that takes, as a key that is given twice, is no reason to call a file broken, and what it
does not take, as a `!disk.*` without quotes, ends every agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from blocks.remote.yaml_text import SafeLoader, parse_yaml


class InvalidSources(ValueError):
    """YAML that no agent takes."""


@dataclass(frozen=True)
class WrittenSource:
    """A source.

    Attributes:
        name: Its name.
        interval_s: How often it polls.
        meters: Names, wildcards, exclusions.
        written: Where the interval stands; None where it comes from a merge of anchors.
    """

    name: str
    interval_s: int
    meters: tuple[str, ...]
    written: yaml.ScalarNode | None


def parse_sources(text: str) -> list[WrittenSource]:
    """Read all sources.

    Raises:
        InvalidYaml: The text is no YAML to the agents.
        InvalidSources: It is, and they end at what it says.
    """
    parsed = parse_yaml(text)
    sources = parsed.get("sources") if isinstance(parsed, dict) else None
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise InvalidSources("has no list of sources with their meters")
    return [_read_source(*pair) for pair in zip(sources, _interval_nodes(text), strict=True)]


def _read_source(source: Mapping[str, Any], written: yaml.ScalarNode | None) -> WrittenSource:
    """Read one.

    Raises:
        InvalidSources: As `parse_sources`.
    """
    name, meters = source.get("name"), source.get("meters")
    if name is None:
        raise InvalidSources("has a source without a name, at which every agent ends")
    if not isinstance(meters, list) or not all(isinstance(meter, str) and meter for meter in meters):
        raise InvalidSources(f"has no list of sources with their meters: those of source {name} are no list of words")
    if wrong := _why_not_together(meters):
        raise InvalidSources(f"source {name} has {wrong}, at which every agent ends")
    try:
        interval = int(source["interval"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidSources(
            f"source {name} has the interval {source.get('interval')!r}, and not whole seconds"
        ) from None
    if interval <= 0:
        raise InvalidSources(f"source {name} has the interval {interval}, which is none")
    return WrittenSource(str(name), interval, tuple(meters), written)


def _why_not_together(meters: Iterable[str]) -> str:
    """Which of a source's meters exclude each other (`check_source_filtering`); empty where none do."""
    all_meters = list(meters)
    if not all_meters:
        return "no meters"
    named = [meter for meter in all_meters if meter[0] not in "!*"]
    if named and any(meter.startswith("!") for meter in all_meters):
        return "meters that are named beside some that are excluded"
    return "meters that are named beside *" if named and "*" in all_meters else ""


def _interval_nodes(text: str) -> list[yaml.ScalarNode | None]:
    """Where the interval of each source stands; of a key that is given twice, the last counts."""
    root = yaml.compose(text, SafeLoader)
    sources = _value(root, "sources")
    nodes = sources.value if isinstance(sources, yaml.SequenceNode) else []
    found = [_value(node, "interval") for node in nodes]
    return [node if isinstance(node, yaml.ScalarNode) else None for node in found]


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = [value for name, value in pairs if isinstance(name, yaml.ScalarNode) and name.value == key]
    return found[-1] if found else None


def polls(meters: Iterable[str], meter: str) -> bool:
    """Whether a source with these meters polls this one (`is_supported`)."""
    names = list(meters)
    if any(name.startswith("!") and fnmatchcase(meter, name[1:]) for name in names):
        return False
    return any(fnmatchcase(meter, name) for name in names) or all(name.startswith("!") for name in names)
