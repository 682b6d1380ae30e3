"""The outputs of a stack; addresses that need no login to be called are secrets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.secrets import mask, register
from tasks.heat.stack import Stack

_ADDRESS = re.compile(r"(?:trust\+)?https?://[^\s\"'<>\\]+")
# A signed alarm_url (heat-api-cfn), a signed object of Swift, and a signal_url (heat-api) of a resource.
_WEBHOOK = re.compile(r"[?&](?:Signature|temp_url_sig)=|/signal/arn|/resources/[^/]+/signal")


@dataclass(frozen=True)
class Output:
    """One output.

    Attributes:
        key: Its name.
        description: What the template says of it.
        value: What it is; never shown by itself.
        secret: Whether it holds a webhook's address.
        error: Why Heat could not resolve it.
    """

    key: str
    description: str
    value: Any = field(repr=False)
    secret: bool = False
    error: str = ""

    @property
    def shown(self) -> str:
        """The value for an artifact or a log, webhooks masked."""
        if self.error:
            return f"(not resolved: {mask(self.error)})"
        return mask(self.value if isinstance(self.value, str) else json.dumps(self.value))


def register_webhooks(value: Any) -> bool:
    """Register every webhook address within a value as a secret; say whether there was one."""
    text = value if isinstance(value, str) else json.dumps(value)
    found = [address for address in _ADDRESS.findall(text) if _WEBHOOK.search(address)]
    for address in found:
        register(address)
    return bool(found)


def read_outputs(cloud: Cloud, stack: Stack) -> dict[str, Output]:
    """Read the outputs of a stack; what is a webhook in them is masked from now on.

    Raises:
        CloudError, Stopped: As `Cloud.asking`.
    """
    body = cloud.ask(f"read the outputs of stack {stack.name}", "orchestration", stack.path)["stack"]
    return {
        one["output_key"]: Output(
            key=one["output_key"],
            description=" ".join((one.get("description") or "").split()),
            value=one.get("output_value"),
            secret=register_webhooks(one.get("output_value")),
            error=one.get("output_error") or "",
        )
        for one in body.get("outputs") or ()
    }
