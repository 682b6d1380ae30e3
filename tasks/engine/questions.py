"""Questions that are asked at once; what is wrong with an answer is a reason not to begin."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from blocks.remote.errors import Refused, RunbookError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Each question has a channel of its own on its host's connection, beside the lock's; a hardened sshd allows four.
_AT_ONCE = 3


class Answer(Generic[T_co]):
    """An answer that may be on its way still."""

    def __init__(self, future: Future[T_co]) -> None:
        self._future = future

    @property
    def there(self) -> bool:
        """Whether there is one, and not a reason instead."""
        return self._future.exception() is None

    @property
    def value(self) -> T_co:
        """The answer itself."""
        return self._future.result()

    @property
    def known(self) -> T_co | None:
        """The answer; None where there is none but a reason."""
        return self.value if self.there else None

    @property
    def reasons(self) -> list[str]:
        """Why there is no answer.

        Raises:
            Exception: One that says nothing about a host: a defect.
        """
        error = self._future.exception()
        if error is None:
            return []
        if isinstance(error, Refused):
            return list(error.reasons)
        if isinstance(error, RunbookError):
            return [str(error)]
        raise error


class Questions:
    """Asks several questions at once, and adds the reasons in the order of the questions.

    Args:
        reasons: Where the reasons are collected.
        at_once: How many are under way at a time.
    """

    def __init__(self, reasons: list[str], at_once: int = _AT_ONCE) -> None:
        self._reasons = reasons
        self._pool = ThreadPoolExecutor(max_workers=max(1, at_once))
        self._answers: list[Answer[object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if error is None:
            for answer in self._answers:
                self._reasons += answer.reasons

    def ask(self, look: Callable[[], T]) -> Answer[T]:
        """Ask; the answer is known at the end of the block, and before it whoever wants it waits."""
        answer = Answer(self._pool.submit(look))
        self._answers.append(answer)
        return answer
