"""The outputs of a stack; whatever in them lets somebody act is a secret: a webhook's address, a token, a password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.credentials import credentials_in, names_a_secret
from blocks.remote.secrets import mask, register
from tasks.heat.stack import Stack

_ADDRESS = re.compile(r"(?:trust\+)?https?://[^\s\"'<>\\]+")
# A signed alarm_url (heat-api-cfn), a signed object of Swift, and a signal_url (heat-api) of a resource.
_WEBHOOK = re.compile(
    r"[?&](?:(?:X-Amz-)?Signature|temp_url_sig|sig)=|/signal/arn|/resources/[^/]+/signal", re.IGNORECASE
)
# What is shorter is not registered (`blocks.remote.secrets.register`).
_SHORTEST = 4
# What many a text holds: hidden within an output that is named like a secret, and no secret anywhere else.
_COMMON = frozenset({"true", "false", "null", "none", "admin", "root"})


@dataclass(frozen=True)
class Output:
    """One output.

    Attributes:
        key: Its name.
        description: What the template says of it.
        value: What it is; never shown by itself.
        secret: Whether something in it lets somebody act.
        error: Why Heat could not resolve it.
    """

    key: str
    description: str
    value: Any = field(repr=False)
    secret: bool = False
    error: str = ""

    @property
    def display_value(self) -> str:
        """The value for an artifact or a log: secrets masked, and nothing of an output that is named like one."""
        if self.error:
            return f"(not resolved: {mask(self.error)})"
        if names_a_secret(self.key) and self.value is not None:
            return "(hidden)"
        return mask(_text(self.value))


def register_credentials(value: Any, name: str = "") -> bool:
    """Register whatever within a value lets somebody act, so that it is masked wherever it stands from now on.

    That is: the addresses of webhooks; tokens, passwords and keys by their form; what is named like one.

    Args:
        value: A text, or what JSON has.
        name: What it is called.

    Returns:
        Whether there was anything.
    """
    text = _text(value)
    found = [address for address in _ADDRESS.findall(text) if _WEBHOOK.search(address)]
    for part in (text, *_texts(value)):  # JSON writes a private key's lines as one
        found += [credential for credential in credentials_in(part) if len(credential) >= _SHORTEST]
    found += [part for part in _secret_parts(value, name) if part.lower() not in _COMMON]
    for secret in found:
        register(secret)
    return bool(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _texts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _secret_parts(value: Any, name: str) -> Iterator[str]:
    """The texts of a value that are named like a secret, or stand in something that is."""
    if names_a_secret(name):
        yield from (text for text in _texts(value) if len(text) >= _SHORTEST)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _secret_parts(part, str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _secret_parts(part, "")


def read_outputs(cloud: Cloud, stack: Stack) -> dict[str, Output]:
    """Read the outputs of a stack; what lets somebody act is masked from now on, in all of them.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    body = cloud.get(f"read the outputs of stack {stack.name}", "orchestration", stack.path)["stack"]
    return {
        output["output_key"]: Output(
            key=output["output_key"],
            description=" ".join((output.get("description") or "").split()),
            value=output.get("output_value"),
            secret=register_credentials(output.get("output_value"), output["output_key"]),
            error=output.get("output_error") or "",
        )
        for output in body.get("outputs") or ()
    }
