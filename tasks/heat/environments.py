"""Environment files: read, so that Heat itself may merge them, by rules that change with its release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blocks.remote.errors import RunbookError
from tasks.heat.named_files import NamedFiles, address_of
from tasks.heat.outputs import register_credentials
from tasks.heat.template_text import parse_mapping, raise_if_no_mapping, read_text

# heat/common/environment_format.py
_MAPPINGS = ("parameters", "parameter_defaults", "resource_registry", "parameter_merge_strategies")
_SECTIONS = (*_MAPPINGS, "encrypted_param_names", "event_sinks")
_HOOKS = frozenset(f"{when}-{what}" for when in ("pre", "post") for what in ("create", "update", "delete"))


@dataclass(frozen=True)
class Environments:
    """Environment files in their order.

    Attributes:
        each: Address of each file, and what it says.
        files: Address → text of every file that they name.
    """

    each: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def merged(self) -> dict[str, Any]:
        """One environment of all, merged as clients did before Heat's Ocata: for a Heat that knows no environment files."""
        merged: dict[str, Any] = {}
        for _, environment in self.each:
            for section, value in environment.items():
                both = isinstance(value, Mapping) and isinstance(merged.get(section), Mapping)
                merged[section] = _merge(merged[section], value) if both else deepcopy(value)
        return merged


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings in mappings; whatever is something else on one side is overwritten."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else deepcopy(value)
    return merged


def read_environments(paths: Iterable[Path]) -> Environments:
    """Read environment files, and every file that their registries name.

    Args:
        paths: In the order in which they are to count, the last one most.

    Raises:
        RunbookError: One is missing or is not what it should be; with its name and the place.
    """
    files = NamedFiles()
    each = [(address_of(path), _read_environment(path, files)) for path in paths]
    return Environments(tuple(each), files.texts)


def _read_environment(path: Path, files: NamedFiles) -> dict[str, Any]:
    """Read one; an empty section, which newer Heats refuse, says nothing and is left out."""
    parsed = {name: value for name, value in parse_mapping(read_text(path), path).items() if value is not None}
    register_credentials(parsed)
    for section in parsed:
        if section not in _SECTIONS:
            known = ", ".join(_SECTIONS)
            raise RunbookError(f'{path}: environment has wrong section "{section}"', f"it may have {known}")
    raise_if_no_mapping(parsed, _MAPPINGS, path)
    for section in ("event_sinks", "encrypted_param_names"):
        if not isinstance(parsed.get(section, []), list):
            raise RunbookError(f"{path}: section {section} is no list", "write it with dashes")
    registry = parsed.get("resource_registry")
    if registry:
        _check_registry(registry, path)
        files.read_of_registry(registry, address_of(path))
    return parsed


def _check_registry(registry: Mapping[str, Any], path: Path) -> None:
    """What the registry says is something that Heat can take, which the libraries find out in a traceback."""
    resources = registry.get("resources", {})
    if not isinstance(resources, Mapping):
        raise RunbookError(f"{path}: resource_registry > resources is no mapping", "name resources in it")
    for name, of_resource in resources.items():
        if not isinstance(of_resource, Mapping):
            hint = "write below the resource's name which type stands for which, or its hooks"
            raise RunbookError(f"{path}: resource_registry > resources > {name} is no mapping", hint)
    for place, level in _levels(registry, "resource_registry"):
        for name, value in level.items():
            at = f"{path}: {place} > {name}"
            if name == "hooks":
                _check_hooks(value, at)
            elif name != "restricted_actions" and not isinstance(value, str | Mapping):
                said = "is empty" if value is None else f"is {value!r}, which is neither a type nor a file"
                raise RunbookError(f"{at} {said}", "name a resource type or a template, or take the line out")
            elif value == "":
                raise RunbookError(f"{at} is empty", "name a resource type or a template, or take the line out")


def _levels(registry: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield place, registry
    for name, value in registry.items():
        if isinstance(value, Mapping):
            yield from _levels(value, f"{place} > {name}")


def _check_hooks(value: Any, at: str) -> None:
    hooks = value if isinstance(value, list) else [value]
    if wrong := [hook for hook in hooks if not isinstance(hook, str) or hook not in _HOOKS]:
        raise RunbookError(f"{at} has {wrong[0]!r}, which is no hook", f"hooks are {', '.join(sorted(_HOOKS))}")


def hooked_resources(environment: Mapping[str, Any]) -> list[str]:
    """The resources at which Heat waits until somebody clears a hook, each with its hooks.

    Args:
        environment: Of one file, or merged.
    """
    registry = environment.get("resource_registry") or {}
    resources = registry.get("resources") if isinstance(registry, Mapping) else None
    found = []
    for place, level in _levels(resources, "") if isinstance(resources, Mapping) else ():
        hooks = level.get("hooks")
        if hooks:
            named = ", ".join(hooks) if isinstance(hooks, list) else str(hooks)
            found.append(f"{place.removeprefix(' > ').replace(' > ', '/')} ({named})")
    return found
