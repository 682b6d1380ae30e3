"""Reading the tokens of one statement: keywords, names, and whoever it is for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.database.statements import Statement, Token

# The server takes these alone without quotes.
_BARE_HOST = re.compile(r"[\w.$]+")


class NotUnderstood(Exception):
    """A statement that no server would take.

    Args:
        line: Where it begins.
        why: What is wrong with it.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line} {why}")


class CutShort(NotUnderstood):
    """A file that ends in the middle of a statement.

    Args:
        line: Where the statement begins.
    """

    def __init__(self, line: int) -> None:
        super().__init__(line, "begins what does not come to its end")


@dataclass(frozen=True)
class Grantee:
    """Whoever a statement names: without a host, only the whole file says whether it is an account or a role."""

    user: str
    host: str | None


class Reader:
    """Reads the tokens of one statement."""

    def __init__(self, statement: Statement) -> None:
        self.line = statement.line
        self._tokens = statement.tokens
        self._at = 0

    @property
    def next(self) -> Token | None:
        """The token that comes next; None behind the last."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def wrong(self, why: str) -> NotUnderstood:
        """Say what is wrong with the statement."""
        return NotUnderstood(self.line, why)

    def take(self) -> Token:
        """Take the next token."""
        token = self.next
        if token is None:
            raise self.wrong("ends too early")
        self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these keywords, if they come next."""
        coming = self._tokens[self._at : self._at + len(words)]
        fits = len(coming) == len(words) and all(token.says(word) for token, word in zip(coming, words, strict=True))
        self._at += len(words) if fits else 0
        return fits

    def accept_sign(self, sign: str) -> bool:
        """Take this sign, if it comes next."""
        fits = self.next is not None and self.next.is_sign(sign)
        self._at += fits
        return fits

    def until(self, *words: str) -> list[Token]:
        """Take everything before one of these keywords, outside of brackets."""
        taken: list[Token] = []
        depth = 0
        while (token := self.next) is not None and not (depth == 0 and token.says(*words)):
            depth += token.is_sign("(") - token.is_sign(")")
            taken.append(self.take())
        return taken

    def name(self) -> str:
        """Take a name, quoted or not."""
        token = self.take()
        if token.kind == "sign":
            raise self.wrong(f"has {token.text!r} where a name should be")
        return token.text

    def grantee(self) -> Grantee:
        """Take whoever comes next, with its host."""
        user = self.name()
        if (token := self.next) is not None and token.kind == "host":
            if not _BARE_HOST.fullmatch(token.text):
                raise self.wrong(f"names a host without quotes, which the server refuses: '{token.text}'")
            self.take()
            return Grantee(user, token.text.lower())
        return Grantee(user, self.name().lower()) if self.accept_sign("@") else Grantee(user, None)
