"""Showing how far a step is, to whoever looks, without ever holding the step up."""

from __future__ import annotations

import contextvars
import logging
import threading
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

logger = logging.getLogger(__name__)


class Progress:
    """Shows a percentage as an artifact of the run, made when the first one comes.

    A server that is away or hangs is told later, or never: the call would wait for it for minutes, with clients shut out of
    their database meanwhile (docs/decisions/0013).

    Args:
        description: What makes progress.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._artifact: UUID | None = None
        self._phase = ""
        self._shown = (-1.0, "")
        self._telling: threading.Thread | None = None

    def __call__(self, percent: float) -> None:
        """Show it, unless it would look the same, or the one before is still being told; does not wait."""
        told = (min(100.0, max(0.0, round(percent))), self._phase)
        if told == self._shown or (self._telling is not None and self._telling.is_alive()):
            return
        # In the step's context: the artifact belongs to its task run. A daemon, so that nothing waits for it at the end.
        context = contextvars.copy_context()
        self._telling = threading.Thread(target=context.run, args=(self._tell, *told), name="progress", daemon=True)
        self._telling.start()

    def phase(self, text: str) -> None:
        """Say what is under way, in a few words; it is shown with the next percentage."""
        self._phase = text

    def _tell(self, percent: float, phase: str) -> None:
        description = f"{self._description}: {phase}" if phase else self._description
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                if self._artifact is None:
                    made = create_progress_artifact(percent, description=description)
                    assert isinstance(made, UUID)
                    self._artifact = made
                else:
                    update_progress_artifact(self._artifact, percent, description)
        except httpx.HTTPError as error:
            logger.debug("progress was not shown: %s", error)
            return
        self._shown = (percent, phase)
