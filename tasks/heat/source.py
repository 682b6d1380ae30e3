"""What a stack is made from, as Heat's API takes it, and whether Heat holds just that already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blocks.remote.secrets import register
from tasks.heat.outputs import register_credentials
from tasks.heat.templates import StackFiles

# What Heat shows in place of a hidden parameter.
_HIDDEN = "******"


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
    def files(self) -> dict[str, str]:
        """All files, the environment's among them.

        Heat counts what an environment file says of a parameter before what the request says (`merge_environments`); ours
        counts more, and so the files do not say it.
        """
        return {**self.stack.files, **{at: self._as_file(environment) for at, environment in self.stack.environments}}

    def _as_file(self, environment: Mapping[str, Any]) -> str:
        parameters = environment.get("parameters")
        if not parameters:
            return json.dumps(environment)
        left = {name: value for name, value in parameters.items() if name not in self.parameters}
        return json.dumps({**environment, "parameters": left})

    @property
    def merge_strategies(self) -> dict[str, Any]:
        """What the environment files say of how parameters are merged."""
        found: dict[str, Any] = {}
        for _, environment in self.stack.environments:
            found |= environment.get("parameter_merge_strategies") or {}
        return found

    @property
    def body(self) -> dict[str, Any]:
        """The part of a request that says what the stack is.

        Environment files are sent as they are, for Heat to merge. One that is older than Ocata takes the environment that was
        merged here instead, or besides: where that would not be the same, it gets the section that such a Heat refuses.
        """
        body = {"template": self.stack.template, "environment": self.environment, "files": self.files}
        if not self.stack.environments:
            return body
        addresses = [address for address, _ in self.stack.environments]
        if strategies := self.merge_strategies:
            body["environment"] = {"parameter_merge_strategies": strategies}
        return body | {"environment_files": addresses, "parameters": dict(self.parameters)}

    def register_secrets(self) -> None:
        """Register the values of the parameters that the template hides, or that are named like a secret.

        An output may show them, or Heat where it complains of one.
        """
        for section in ("parameters", "parameter_defaults"):
            register_credentials(self.environment.get(section) or {})
        parameters = self.stack.template.get("parameters") or self.stack.template.get("Parameters") or {}
        given = {**(self.environment.get("parameter_defaults") or {}), **self.environment["parameters"]}
        for name, declared in parameters.items():
            if isinstance(declared, Mapping) and str(declared.get("hidden", declared.get("NoEcho"))).lower() == "true":
                for value in (given.get(name), declared.get("default"), declared.get("Default")):
                    if value is not None:
                        register(str(value))

    def matches(self, template: Mapping[str, Any], environment: Mapping[str, Any], files: Mapping[str, str]) -> bool:
        """Say whether Heat holds just this already, by what it tells of a stack."""
        held = (template, _normalize_environment(environment), files)
        return bool(
            _comparable(held)
            == _comparable((self.stack.template, _normalize_environment(self.environment), self.files))
        )

    def may_match(
        self,
        template: Mapping[str, Any],
        environment: Mapping[str, Any] | None,
        files: Mapping[str, str] | None,
    ) -> bool:
        """Say whether nothing that Heat tells of a stack speaks against its holding just this.

        Args:
            template: As Heat tells it.
            environment: The same, a hidden parameter as stars; None where it tells nothing.
            files: The same; None where it tells nothing.
        """
        shown = self.environment if environment is None else environment
        held = (template, _normalize_environment(shown), self.files if files is None else files)
        ours = (self.stack.template, _mask_hidden(_normalize_environment(self.environment), shown), self.files)
        return bool(_comparable(held) == _comparable(ours))


def _mask_hidden(ours: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Put stars where Heat shows them in place of a hidden parameter: what it is can't be known."""
    masked = dict(ours)
    for section in ("parameters", "parameter_defaults"):
        hidden = {name: value for name, value in (shown.get(section) or {}).items() if value == _HIDDEN}
        masked[section] = {name: hidden.get(name, value) for name, value in ours[section].items()}
    return masked


def _normalize_environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What an environment says, without the empty sections and the self-references that Heat adds."""
    registry = environment.get("resource_registry") or {}
    return {
        "resource_registry": {key: value for key, value in registry.items() if value not in ({}, key)},
        "parameters": environment.get("parameters") or {},
        "parameter_defaults": environment.get("parameter_defaults") or {},
        "event_sinks": environment.get("event_sinks") or [],
    }


def _comparable(value: Any) -> Any:
    """Make values comparable however they travelled: 60 and "60" are one parameter to Heat."""
    if isinstance(value, Mapping):
        return {str(key): _comparable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(inner) for inner in value]
    return str(value)
