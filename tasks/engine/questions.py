"""Questions that are asked at once; one without an answer is a check that speaks against beginning."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from blocks.remote.errors import RunbookError
from tasks.engine.checks import Check, unforeseen

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Each question has a channel of its own on its host's connection, beside the lock's; a hardened sshd allows four.
_AT_ONCE = 3


class Answer(Generic[T_co]):
    """An answer that may be on its way still.

    Args:
        name: What is asked for.
        future: The answer.
    """

    def __init__(self, name: str, future: Future[T_co]) -> None:
        self._name, self._future = name, future

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
    def checks(self) -> list[Check]:
        """Why there is no answer; nothing where there is one: what it says, its asker judges."""
        error = self._future.exception()
        if error is None:
            return []
        if isinstance(error, RunbookError):
            return Check.of(error, self._name)
        if isinstance(error, Exception):
            return [unforeseen(error, self._name)]
        raise error


class Questions:
    """Asks several questions at once, and adds those without an answer to the checks, in the order of the questions.

    Args:
        checks: Where they are collected.
        at_once: How many are under way at a time.
    """

    def __init__(self, checks: list[Check], at_once: int = _AT_ONCE) -> None:
        self._checks = checks
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
                self._checks += answer.checks

    def ask(self, name: str, look: Callable[[], T]) -> Answer[T]:
        """Ask for what has this name; the answer is known at the end of the block, and before it whoever wants it waits."""
        answer = Answer(name, self._pool.submit(look))
        self._answers.append(answer)
        return answer
