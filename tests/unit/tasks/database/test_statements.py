"""SQL is split as the client splits it, whatever its strings and comments hold."""

from __future__ import annotations

import pytest

from tasks.database.statements import split


def said(text: str) -> list[list[str]]:
    return [[token.text for token in statement.tokens] for statement in split(text)]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("A b; C;\nD;", [["A", "b"], ["C"], ["D"]]),
        ("A\n  b\n;", [["A", "b"]]),
        ("A ';' \";\" `;`; B;", [["A", ";", ";", ";"], ["B"]]),
        ("A 'o''brien' 'o\\'brien' \"x\"\"y\" `a``b`;", [["A", "o'brien", "o'brien", 'x"y', "a`b"]]),
        ("A 'a\\_b' 'a\\\\b';", [["A", "a\\_b", "a\\b"]]),
        ("A; -- B;\n# C;\n/* D; */ E;", [["A"], ["E"]]),
        ("A --1;", [["A", "-", "-", "1"]]),
        ("/*!40101 SET x */; /*M!100005 SET y */; /*! SET z */;", [["SET", "x"], ["SET", "y"], ["SET", "z"]]),
        ("/*!80001 SET x */; /*!50701 SET y */; A;", [["A"]]),
        ("DELIMITER |\nA; B|\nDELIMITER ;\nC;", [["A", ";", "B"], ["C"]]),
        ("A nova@localhost, nova@'%', nova@10.0.0.%;", [
            ["A", "nova", "localhost", ",", "nova", "@", "%", ",", "nova", "10.0.0.%"]]),
        (";;;", []),
        ("", []),
    ],
)  # fmt: skip
def test_statements_are_split_where_the_client_splits_them(text: str, statements: list[list[str]]) -> None:
    assert said(text) == statements
    assert all(statement.whole for statement in split(text))


@pytest.mark.parametrize("text", ["A; B", "A; B 'c;", "A; B `c;", "A; B /* c;", "A; /* c;", "A; B 'c\\';"])
def test_a_text_that_ends_in_the_middle_of_a_statement_is_told(text: str) -> None:
    assert [statement.whole for statement in split(text)] == [True, False]


def test_each_statement_knows_its_line() -> None:
    assert [statement.line for statement in split("A;\n-- x\nB\nC; D;\n\nE;")] == [1, 3, 4, 6]
