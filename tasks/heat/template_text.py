"""Templates and environments as files: parsed as Heat and its client parse them, and looked at for their shape.

An error names the file and the place in it, and quotes nothing: an environment may hold a password.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from blocks.remote.errors import RunbookError
from blocks.remote.yaml_text import HeatLoader, InvalidYaml, parse_yaml

_HOT = ("parameters", "resources", "outputs", "conditions")
_CFN = ("Parameters", "Resources", "Outputs", "Conditions", "Mappings")


def read_text(path: Path) -> str:
    """Read a file of the operator's.

    Raises:
        RunbookError: It can't be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RunbookError(f"{path} can't be read: it is no text in UTF-8", "save it in UTF-8") from None
    except (OSError, ValueError) as error:
        hint = "give its path on the worker's machine"
        raise RunbookError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}", hint) from None


def parse_mapping(text: str, where: object) -> dict[str, Any]:
    """Parse a template or an environment: JSON where it is that (with tabs, too), else YAML in which a date stays text.

    Args:
        text: The text.
        where: The file, for errors.

    Raises:
        RunbookError: It is neither, is no mapping, or holds what JSON, in which Heat is sent it, has not.
    """
    try:
        parsed = _parse(text)
    except InvalidYaml as error:
        raise RunbookError(f"{where} is not YAML: {error}", "correct the file at that place") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise RunbookError(f"{where} is no mapping, and so no template or environment", "see Heat's template guide")
    _raise_if_not_json(parsed, where)
    return parsed


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise InvalidYaml("it is nested too deep") from None
    except ValueError as error:
        try:
            return parse_yaml(text, HeatLoader)
        except InvalidYaml:
            if text.lstrip().startswith("{") and isinstance(error, json.JSONDecodeError):
                raise InvalidYaml(f"nor JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
            raise


def _raise_if_not_json(parsed: Mapping[str, Any], where: object) -> None:
    for section, value in parsed.items():
        try:
            json.dumps({section: value}, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            said = "an alias that contains itself" if isinstance(error, RecursionError) else str(error)
            hint = "write it as a text or a number that JSON has; Heat is sent JSON"
            raise RunbookError(f"{where}: section {section} holds a value that can't be sent: {said}", hint) from None


def raise_if_no_template(parsed: Mapping[str, Any], where: object) -> None:
    """Raise where a section of a template is no mapping, or its version is missing.

    Raises:
        RunbookError: With the file and the section.
    """
    if not parsed.keys() & {"heat_template_version", "HeatTemplateFormatVersion", "AWSTemplateFormatVersion"}:
        hint = "begin it with heat_template_version, as `openstack orchestration template version list` has it"
        raise RunbookError(f"{where} is no template: Template format version not found.", hint)
    raise_if_no_mapping(parsed, _HOT if is_hot(parsed) else _CFN, where)


def raise_if_no_mapping(parsed: Mapping[str, Any], sections: Collection[str], where: object) -> None:
    """Raise where one of the sections is there and is no mapping.

    Raises:
        RunbookError: With the file and the section.
    """
    for section in sections:
        value = parsed.get(section)
        if value is not None and not isinstance(value, Mapping):
            kind = "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else "a single value"
            hint = "write it as `name: value`, one a line, indented, without dashes"
            raise RunbookError(f"{where}: section {section} is {kind}, and must be a mapping", hint)


def is_hot(template: Mapping[str, Any]) -> bool:
    """Whether a template is in Heat's own format, and not in CloudFormation's."""
    return "heat_template_version" in template
