"""Secrets that pass through this process, and the mask that is laid over everything it shows.

Prefect redacts nothing by itself: whatever is logged, raised or put into an artifact is stored as it is. So each secret
is registered here the moment it is read, and every text on its way out passes through `mask`.
"""

from __future__ import annotations

import logging
import threading

from blocks.remote.credentials import without_credentials
from blocks.remote.errors import RunbookError

MASK = "********"
_known: set[str] = set()
_lock = threading.Lock()


def register(value: str) -> str:
    """Remember a secret so that `mask` hides it from now on, and return it.

    Args:
        value: The secret. One shorter than 4 characters is not registered: masking it would shred every log line.
    """
    if len(value) >= 4:
        with _lock:
            _known.add(value)
    return value


def mask(text: str) -> str:
    """Return the text with every registered secret replaced, the longest first (one may contain another).

    What lets somebody act is replaced too where nobody has registered it (`blocks.remote.credentials`): a service's own error
    message may hold the token or the signed address of which it complains.
    """
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for value in known:
        text = text.replace(value, MASK)
    return without_credentials(text, MASK)


class MaskingFilter(logging.Filter):
    """A logging filter that masks the finished message and the text of an exception.

    The traceback of an error that this project raises on purpose is left to the debug level.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; every record passes."""
        record.msg, record.args = mask(record.getMessage()), None
        if record.levelno > logging.DEBUG and record.exc_info and isinstance(record.exc_info[1], RunbookError):
            # It says what happened and what to do next; where in the code it was raised, nobody wants at 3 a.m.
            record.exc_info = record.exc_text = None
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            if mask(text) != text:
                record.exc_info, record.exc_text = None, mask(text)
        return True


def install_mask() -> None:
    """Put the filter before every handler of the root and of Prefect's loggers, once."""
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs", "paramiko", "fabric"):
        for handler in logging.getLogger(name or None).handlers:
            if not any(isinstance(existing, MaskingFilter) for existing in handler.filters):
                handler.addFilter(MaskingFilter())
