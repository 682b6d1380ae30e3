"""Options as programs written in C with getopt_long take them, and its words where it refuses one.

A table of options is a line of words: `quiet/q` stands alone, `property=/p` takes a value. Behind the slash is its letter.
"""

from __future__ import annotations

from .refusal import Refusal


class Options:
    """The options that a program knows.

    Args:
        program: What it is called in its words.
        table: Its options.
        interspersed: Whether options may follow a word that is none.
    """

    def __init__(self, program: str, table: str, interspersed: bool = False) -> None:
        self._program = program
        self._interspersed = interspersed
        self._takes_value: dict[str, bool] = {}
        self._by_letter: dict[str, str] = {}
        for word in table.split():
            head, _, letter = word.partition("/")
            name = head.rstrip("=")
            self._takes_value[name] = head.endswith("=")
            if letter:
                self._by_letter[letter] = name

    def read(self, words: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
        """Returns the words that are no options, and the options with their values.

        Raises:
            Refusal: An option is unknown, ambiguous, or lacks its value.
        """
        rest = list(words)
        plain: list[str] = []
        given: list[tuple[str, str]] = []
        while rest:
            word = rest.pop(0)
            if word == "--":
                break
            if word.startswith("--"):
                given.append(self._long(word, rest))
            elif word.startswith("-") and word != "-":
                given += self._short(word[1:], rest)
            else:
                plain.append(word)
                if not self._interspersed:
                    break
        return plain + rest, given

    def _long(self, word: str, rest: list[str]) -> tuple[str, str]:
        wanted, sign, value = word[2:].partition("=")
        name = self._named(wanted, word)
        if not self._takes_value[name]:
            if sign:
                raise self._refusal(f"option '--{name}' doesn't allow an argument")
            return name, ""
        if not sign:
            if not rest:
                raise self._refusal(f"option '--{name}' requires an argument")
            value = rest.pop(0)
        return name, value

    def _named(self, wanted: str, word: str) -> str:
        if wanted in self._takes_value:
            return wanted
        found = [name for name in self._takes_value if name.startswith(wanted)]
        if not found:
            raise self._refusal(f"unrecognized option '{word}'")
        if len(found) > 1:
            possible = " ".join(f"'--{name}'" for name in found)
            raise self._refusal(f"option '{word}' is ambiguous; possibilities: {possible}")
        return found[0]

    def _short(self, letters: str, rest: list[str]) -> list[tuple[str, str]]:
        given = []
        while letters:
            letter, letters = letters[0], letters[1:]
            name = self._by_letter.get(letter)
            if name is None:
                raise self._refusal(f"invalid option -- '{letter}'")
            if not self._takes_value[name]:
                given.append((name, ""))
                continue
            if not letters and not rest:
                raise self._refusal(f"option requires an argument -- '{letter}'")
            given.append((name, letters or rest.pop(0)))
            break
        return given

    def _refusal(self, words: str) -> Refusal:
        return Refusal(f"{self._program}: {words}", 1)
