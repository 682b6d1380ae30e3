"""What a shell script runs, read with a grammar of bash: every simple command in it, with its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))
_RESERVED = {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac"}
_QUOTES = {"string": '"', "raw_string": "'"}


@dataclass
class _Script:
    """A script while it is read.

    Attributes:
        arguments: What `$1`, `$2`, … are.
        variables: What is assigned to each variable, as it is written; of an array, each of its words.
        functions: Names that the script gives to parts of its own.
    """

    arguments: list[str]
    variables: dict[str, list[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)

    def words(self, node: Node) -> list[str]:
        """The words that one node becomes: arguments are put in, and a variable without quotes falls into words.

        In a function the arguments are the function's own.
        """
        text = _text(node)
        found = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\[@\]\})", text)
        name = (found[1] or found[2]) if found else ""
        if name in self.variables:
            values = self.variables[name]
            return values[0].split() if node.type == "simple_expansion" else values
        if _in_function(node):
            return [text]
        if text in {"$@", "$*"}:
            return self.arguments
        return self.arguments[int(name) - 1 :][:1] if name.isdigit() else [text]


def _text(node: Node) -> str:
    text = (node.text or b"").decode()
    quote = _QUOTES.get(node.type)
    return text[1:-1] if quote and len(text) > 1 else text


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _in_function(node: Node | None) -> bool:
    while node is not None:
        if node.type == "function_definition":
            return True
        node = node.parent
    return False


def parse(text: str) -> Node:
    """Parse a script.

    Raises:
        ValueError: It is no bash.
    """
    # The grammar has no <>, which opens a file for reading and writing.
    root = _PARSER.parse(text.replace("<>", "<").encode()).root_node
    if root.has_error:
        raise ValueError(f"this is no bash: {text}")
    return root


def commands_in(text: str, arguments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every simple command of a script, a test in brackets as `[` with its operators.

    Args:
        text: The script.
        arguments: What it is given as `$1`, `$2`, …

    Raises:
        ValueError: It is no bash.
    """
    nodes = list(_walk(parse(text)))
    script = _Script(list(arguments))
    script.functions = {
        _text(node.children_by_field_name("name")[0]) for node in nodes if node.type == "function_definition"
    }
    for node in nodes:
        if node.type == "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                script.variables[_text(name)] = [_text(each) for each in _items(value)]
        elif node.type == "test_command":
            yield "[", *(_text(each) for each in _walk(node) if each.type == "test_operator")
        elif node.type == "command":
            words = tuple(_words(script, node))
            if words and words[0] in _RESERVED:
                raise ValueError(f"this is no bash as the grammar knows it: {text}")
            if words and words[0] == "shift":
                del script.arguments[: int(words[1]) if len(words) > 1 else 1]
            if words and words[0] not in script.functions:
                yield words


def _items(value: Node) -> list[Node]:
    return value.named_children if value.type == "array" else [value]


def _words(script: _Script, node: Node) -> Iterator[str]:
    for child in node.children:
        if child.type == "command_name":
            yield from script.words(child.children[0])
        elif not child.type.endswith("_redirect") and child.type != "variable_assignment" and child.is_named:
            yield from script.words(child)
