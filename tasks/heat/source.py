"""What a stack is made from, as Heat's API takes it, and whether Heat holds just that already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.heat.templates import StackFiles


@dataclass(frozen=True)
class StackSource:
    """A template with its parameters, ready to be sent.

    Attributes:
        stack: Template, environment and the files that they name.
        parameters: Of the stack; they count before those of the environment.
    """

    stack: StackFiles
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, Any]:
        """The environment, parameters included."""
        given = self.stack.environment.get("parameters") or {}
        return {**self.stack.environment, "parameters": {**given, **self.parameters}}

    @property
    def body(self) -> dict[str, Any]:
        """The part of a request that says what the stack is."""
        return {"template": self.stack.template, "environment": self.environment, "files": self.stack.files}

    def same_as(self, template: Mapping[str, Any], environment: Mapping[str, Any], files: Mapping[str, str]) -> bool:
        """Say whether Heat holds just this already, by what it tells of a stack."""
        held = (template, _essence(environment), files)
        return bool(_plain(held) == _plain((self.stack.template, _essence(self.environment), self.stack.files)))

    def same_template(self, template: Mapping[str, Any]) -> bool:
        """Say whether Heat holds this template, whatever the parameters: of hidden ones it does not tell the value."""
        return bool(_plain(template) == _plain(self.stack.template))


def _essence(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What an environment says, without the empty sections and the self-references that Heat adds."""
    registry = environment.get("resource_registry") or {}
    return {
        "resource_registry": {key: value for key, value in registry.items() if value not in ({}, key)},
        "parameters": environment.get("parameters") or {},
        "parameter_defaults": environment.get("parameter_defaults") or {},
    }


def _plain(value: Any) -> Any:
    """Make values comparable however they travelled: 60 and "60" are one parameter to Heat."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value)
