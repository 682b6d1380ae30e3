"""What a step returns to the steps after it: a typed value for each host, on record with the step.

The plan is made before any step was taken, so it shows a value that is not known yet by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import JsonValue, TypeAdapter

T = TypeVar("T")


class Results(Generic[T]):
    """The values that one step returns, host by host. No secret: they are kept in the journal.

    Args:
        name: What the plan calls a value that is not known yet.
        kind: Its type: whatever pydantic can write as JSON and read back.
        read: Reads it once the step was taken on a host.
    """

    def __init__(self, name: str, kind: type[T], read: Callable[[Any], T]) -> None:
        self.name = name
        self._adapter = TypeAdapter(kind)
        self._read = read
        self._values: dict[str, T] = {}

    def read(self, connection: Any) -> JsonValue:
        """Read the value of one host, as the journal keeps it; raises what reading raises."""
        value: JsonValue = self._adapter.dump_python(self._read(connection), mode="json")
        return value

    def load(self, kept: Mapping[str, JsonValue]) -> None:
        """Take the values, by host, from the journal.

        Raises:
            pydantic.ValidationError: One is not of this kind.
        """
        self._values = {host: self._adapter.validate_python(value) for host, value in kept.items()}

    def of(self, host: str) -> T:
        """The value of a host.

        Raises:
            LookupError: The step was not taken there yet; a plan uses `shown`.
        """
        if host not in self._values:
            raise LookupError(f"{self.name} of {host} is not known before its step was taken")
        return self._values[host]

    def known(self, host: str) -> T | None:
        """The value of a host; None where an attempt of an older version of this project has taken the step."""
        return self._values.get(host)

    def shown(self, host: str, write: Callable[[T], str] = str) -> str:
        """The value as a command's word; where it is not known yet, its name."""
        return write(self._values[host]) if host in self._values else f"<{self.name} of {host}>"
