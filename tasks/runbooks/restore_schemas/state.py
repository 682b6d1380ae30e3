"""What a run of restore-schemas records for the next one."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RestoreState(BaseModel):
    """What is restored.

    Attributes:
        backup: What tells the backup from any other.
        schemas: The schemas, sorted.
    """

    backup: str = ""
    schemas: list[str] = Field(default_factory=list)
