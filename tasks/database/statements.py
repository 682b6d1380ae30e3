"""SQL as the client reads it: statements of tokens, with quotes, comments, executable comments and delimiters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "name", "string", "host", "sign"]

# A comment that MariaDB executes has a version that it has reached; from 50700 to 99999 it takes the number for MySQL's.
_MYSQL_ONLY = range(50700, 100000)
# For the client alone: no server comes to that version.
_NEVER = 999999

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--(?=\s|\Z)[^\n]*|\#[^\n]*)
  | /\*(?P<maria>M?)!(?P<version>\d*)
  | (?P<block>/\*(?:.*?\*/)?)
  | (?P<close>\*/)
  | `(?P<name>(?:[^`]|``)*)`
  | '(?P<single>(?:[^'\\]|\\.|'')*)'
  | "(?P<double>(?:[^"\\]|\\.|"")*)"
  | @(?P<host>[^\s,;()'"`@=*/]+)
  | (?P<word>[\w$]+)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DELIMITER = re.compile(r"delimiter[ \t]+(\S+)[^\n]*", re.IGNORECASE)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "Z": "\x1a", "b": "\b"}


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        kind: A bare word, a name in backticks, a string in quotes, an unquoted host after its `@`, or a sign.
        text: What it says, unquoted.
    """

    kind: Kind
    text: str

    def says(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind == "word" and self.text.upper() in words

    def is_sign(self, sign: str) -> bool:
        """Whether it is this sign."""
        return self.kind == "sign" and self.text == sign


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        line: The line on which it begins.
        tokens: What it is made of, without comments.
        whole: Whether it comes to its delimiter, and every quote in it to its end.
    """

    line: int
    tokens: tuple[Token, ...]
    whole: bool


def _unescaped(text: str, quote: str) -> str:
    doubled = text.replace(quote * 2, quote)
    # \_ and \% keep their backslash: they are for patterns.
    return re.sub(
        r"\\(.)",
        lambda found: found[0] if found[1] in "_%" else _ESCAPES.get(found[1], found[1]),
        doubled,
        flags=re.DOTALL,
    )


def _token(found: re.Match[str]) -> Token:
    if found["name"] is not None:
        return Token("name", found["name"].replace("``", "`"))
    if found["single"] is not None:
        return Token("string", _unescaped(found["single"], "'"))
    if found["double"] is not None:
        return Token("string", _unescaped(found["double"], '"'))
    if found["host"] is not None:
        return Token("host", found["host"])
    return Token("word", found["word"]) if found["word"] else Token("sign", found["sign"])


def _is_executed(found: re.Match[str]) -> bool:
    number = int(found["version"] or 0)
    return number < _NEVER and (bool(found["maria"]) or number not in _MYSQL_ONLY)


class _Scanner:
    """Walks through a text; what stands between two delimiters is a statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._delimiter = ";"
        self._line = 1
        self._counted = 0

    def _line_at(self, position: int) -> int:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        return self._line

    def statements(self) -> Iterator[Statement]:
        tokens: list[Token] = []
        line, broken = 0, False
        while self._at < len(self._text):
            begins_line = self._at == 0 or self._text[self._at - 1] == "\n"
            if begins_line and (changed := _DELIMITER.match(self._text, self._at)):
                self._delimiter, self._at = changed[1], changed.end()
                continue
            if self._text.startswith(self._delimiter, self._at):
                self._at += len(self._delimiter)
                if tokens:
                    yield Statement(line, tuple(tokens), not broken)
                tokens, line, broken = [], 0, False
                continue
            begin = self._at
            token, whole = self._next()
            broken |= not whole
            if token is not None:
                line = line if tokens else self._line_at(begin)
                tokens.append(token)
        if tokens or broken:
            yield Statement(line or self._line_at(self._at), tuple(tokens), False)

    def _next(self) -> tuple[Token | None, bool]:
        """The next token, None where it is none; and whether its quote or its comment comes to its end."""
        found = _TOKEN.match(self._text, self._at)
        if found is None:  # every character is at least a sign
            raise ValueError(f"no token at {self._at}")
        self._at = found.end()
        if found["space"] or found["comment"] or found["close"]:
            return None, True
        if found["block"]:
            return None, len(found["block"]) >= len("/**/")
        if found["version"] is not None:
            if not _is_executed(found):
                end = self._text.find("*/", self._at)
                self._at = len(self._text) if end < 0 else end + 2
                return None, end >= 0
            return None, True
        token = _token(found)
        return token, not (token.kind == "sign" and token.text in "'\"`")


def split(text: str) -> Iterator[Statement]:
    """Split a text into its statements, several a line or one over several lines."""
    return _Scanner(text).statements()
