"""Flags as programs written in Go with pflag take them, and its words where it refuses one.

A table of flags is a line of words: `tty/t` is switched on by itself, `env=/e` takes a text, `time#` a number from 0 on,
`last~/n` any whole number. Behind the slash is its one letter.
"""

from __future__ import annotations

from .refusal import Refusal

_TRUE_OR_FALSE = ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")
_PARSERS = {"": "Bool", "#": "Uint", "~": "Int"}


class Flag:
    """One flag that a command knows."""

    def __init__(self, word: str) -> None:
        head, _, self.letter = word.partition("/")
        self.name = head.rstrip("=#~")
        self.kind = head[len(self.name) :]

    def check(self, value: str) -> None:
        """Refuses a value that is not of the flag's kind."""
        if self.kind == "=" or self._takes(value):
            return
        shown = f"-{self.letter}, --{self.name}" if self.letter else f"--{self.name}"
        parser = f"strconv.Parse{_PARSERS[self.kind]}"
        raise Refusal(
            f'invalid argument "{value}" for "{shown}" flag: {parser}: parsing "{value}": invalid syntax', 125
        )

    def _takes(self, value: str) -> bool:
        if self.kind == "":
            return value in _TRUE_OR_FALSE
        digits = value[1:] if self.kind == "~" and value[:1] in ("-", "+") else value
        return digits.isascii() and digits.isdigit()


class Flags:
    """The flags that a command knows, and how it reads its words.

    Args:
        table: Its flags.
        interspersed: Whether flags may follow the first word that is none.
    """

    def __init__(self, table: str, interspersed: bool = True) -> None:
        flags = [Flag(word) for word in table.split()]
        self._by_name = {flag.name: flag for flag in flags}
        self._by_letter = {flag.letter: flag for flag in flags if flag.letter}
        self._interspersed = interspersed

    def read(self, words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
        """Returns the words that are no flags, and the flags' values in the order in which they came.

        Raises:
            Refusal: A flag is unknown, lacks its value, or has one that is not of its kind.
        """
        rest = list(words)
        plain: list[str] = []
        given: dict[str, list[str]] = {}
        while rest:
            word = rest.pop(0)
            if word == "--":
                return plain + rest, given
            if word.startswith("--"):
                self._long(word, rest, given)
            elif word.startswith("-") and word != "-":
                self._short(word[1:], rest, given)
            else:
                plain.append(word)
                if not self._interspersed:
                    return plain + rest, given
        return plain, given

    def _long(self, word: str, rest: list[str], given: dict[str, list[str]]) -> None:
        name, sign, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise Refusal(f"bad flag syntax: {word}", 125)
        flag = self._by_name.get(name)
        if flag is None:
            raise Refusal(f"unknown flag: --{name}", 125)
        if not sign:
            if flag.kind and not rest:
                raise Refusal(f"flag needs an argument: {word}", 125)
            value = rest.pop(0) if flag.kind else "true"
        _keep(flag, value, given)

    def _short(self, letters: str, rest: list[str], given: dict[str, list[str]]) -> None:
        cluster = letters
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self._by_letter.get(letter)
            if flag is None:
                raise Refusal(f"unknown shorthand flag: '{letter}' in -{cluster}", 125)
            if letters.startswith("=") and len(letters) > 1:
                _keep(flag, letters[1:], given)
                return
            if not flag.kind:
                _keep(flag, "true", given)
            elif letters or rest:
                _keep(flag, letters or rest.pop(0), given)
                return
            else:
                raise Refusal(f"flag needs an argument: '{letter}' in -{cluster}", 125)


def _keep(flag: Flag, value: str, given: dict[str, list[str]]) -> None:
    flag.check(value)
    given.setdefault(flag.name, []).append(value)
