"""Where a runbook departs from its document: data beside the flow, read for the report and for docs/."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Departure(BaseModel):
    """One departure.

    Attributes:
        step: The document's step number.
        documented: What the document says.
        instead: What is run.
        why: The reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str = Field(min_length=1)
    documented: str = Field(min_length=1)
    instead: str = Field(min_length=1)
    why: str = Field(min_length=1)


class Document(BaseModel):
    """A documented procedure and the departures from it.

    Attributes:
        title: The document's; of a runbook that no document has, what it does instead.
        section: Number and title of the section; empty where there is no document.
        again: What a run that is started again does besides going on, in a sentence.
        departures: In the order of the steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    section: str = ""
    again: str = ""
    departures: tuple[Departure, ...] = ()

    @property
    def source(self) -> str:
        """Where the procedure stands, as a sentence."""
        return f"{self.title}, section {self.section}." if self.section else f"{self.title}."


def departures_of(runbook: str, folder: Path | None = None) -> Document:
    """Read `flows/<runbook>.departures.toml`."""
    folder = folder or Path(__file__).resolve().parents[2] / "flows"
    return Document.model_validate(tomllib.loads((folder / f"{runbook.replace('-', '_')}.departures.toml").read_text()))
