"""The files that a template or an environment names: read, with those that they name in turn, for Heat is sent all of them.

As Heat's client does it (heatclient/common/template_utils.py): a name is taken from the folder of the file that it stands in, and
becomes an address; what is a template itself is sent as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit

from openstack.exceptions import SDKException
from openstack.orchestration.util import utils

from blocks.remote.errors import RunbookError
from tasks.heat.template_text import parse_mapping, raise_if_no_template

_TEMPLATES = (".yaml", ".template")
_HINT = "file names are taken from the folder of the file that they stand in"


def address_of(path: Path) -> str:
    """The address by which Heat is told of a file on this machine."""
    return str(utils.normalise_file_path_to_url(str(path)))


def shown(address: str) -> str:
    """An address as an operator knows it: the path of a file on this machine."""
    parts = urlsplit(address)
    return unquote(parts.path) if parts.scheme == "file" else address


@dataclass
class NamedFiles:
    """Files that were read.

    Attributes:
        texts: Address → what Heat is sent of it.
    """

    texts: dict[str, str] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def read_of_template(self, template: dict[str, Any], address: str) -> None:
        """Read what a template names; the names in it become addresses.

        Args:
            template: The template.
            address: Its own.

        Raises:
            RunbookError: A file can't be read, is no template where it stands for a type, or contains itself.
        """
        self._open.append(address)
        for holder, key in _references(template):
            holder[key] = self._read(holder[key], address, as_template=key == "type")
        self._open.pop()

    def read_of_registry(self, registry: dict[str, Any], address: str) -> None:
        """Read what the registry of an environment names; the names in it become addresses.

        Raises:
            RunbookError: As `read_of_template`.
        """
        base = str(registry.get("base_url") or address)
        self._read_entries(registry, base, address)
        for of_resource in (registry.get("resources") or {}).values():
            self._read_entries(of_resource, str(of_resource.get("base_url") or base), address)

    def _read_entries(self, entries: dict[str, Any], base: str, within: str) -> None:
        for key, value in entries.items():
            names_file = isinstance(value, str) and "::" not in value
            if names_file and key not in {"base_url", "hooks", "restricted_actions"}:
                entries[key] = self._read(value, base, as_template=str(value).endswith(_TEMPLATES), within=within)

    def _read(self, name: str, base: str, as_template: bool, within: str = "") -> str:
        """Read a file, and what it names if it is a template; returns its address."""
        address = urljoin(base, name)
        within = within or base
        if address in self._open:
            raise RunbookError(f"{shown(within)}: {shown(address)} contains itself", "take it out of itself")
        if address not in self.texts:
            text = _read_address(address, within)
            template = _template_in(text, address, as_template)
            if template is not None:
                self.read_of_template(template, address)
            self.texts[address] = text if template is None else json.dumps(template)
        return address


def _references(node: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where in a template another file is named: the mapping, and the key."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _references(value)
        for key in ("get_file", "type"):
            value = node.get(key)
            if isinstance(value, str) and (key == "get_file" or value.endswith(_TEMPLATES)):
                yield node, key
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _read_address(address: str, within: str) -> str:
    try:
        content = utils.read_url_content(address)
    except (SDKException, URLError, OSError, ValueError) as error:
        raise RunbookError(f"{shown(within)}: what it names can't be read: {unquote(str(error))}", _HINT) from None
    # The library gives an empty file as bytes, and a binary one in base64.
    return content if isinstance(content, str) else content.decode()


def _template_in(text: str, address: str, wanted: bool) -> dict[str, Any] | None:
    """The template that a file is; None where it is none and need not be one."""
    try:
        parsed = parse_mapping(text, shown(address))
        raise_if_no_template(parsed, shown(address))
    except RunbookError:
        if wanted and _looks_like_a_template(text):
            raise
        return None
    return parsed


def _looks_like_a_template(text: str) -> bool:
    return any(
        word in text for word in ("heat_template_version", "HeatTemplateFormatVersion", "AWSTemplateFormatVersion")
    )
