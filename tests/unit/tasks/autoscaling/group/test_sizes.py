"""A number of a template is read, whichever way its parameter says it; anything else is told, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.autoscaling.group.sizes import UnresolvedProperty, read_number, read_word

PARAMETERS = {
    "most": "3",
    "sizes": '{"web": {"most": 5}}',
    "list": "1,2,7",
    "json": "[4, 8]",
    "told": {"most": 6},
    "no": "x",
}


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (2, 2),
        ("2", 2),
        (2.5, 2.5),
        ({"get_param": "most"}, 3),
        ({"Ref": "most"}, 3),
        ({"get_param": ["most"]}, 3),
        ({"get_param": ["sizes", "web", "most"]}, 5),
        ({"get_param": ["list", 2]}, 7),
        ({"get_param": ["json", "1"]}, 8),
        ({"get_param": ["told", "most"]}, 6),
    ],
)
def test_a_number_is_read(written: Any, number: float) -> None:
    assert read_number(written, PARAMETERS, "it") == number


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        "many",
        [1],
        {"get_param": "no"},
        {"get_param": "absent"},
        {"get_param": ["list", 9]},
        {"get_param": ["list", "x"]},
        {"get_param": ["most", "x", "y"]},
        {"get_param": "most", "more": 1},
        {"if": ["c", 1, 2]},
    ],
)
def test_what_is_no_number_is_told(written: Any) -> None:
    with pytest.raises(UnresolvedProperty, match=r"^it is written as .*only a number, or a parameter that is one"):
        read_number(written, PARAMETERS, "it")


@pytest.mark.parametrize(
    "written", ["inf", "nan", float("inf"), {"get_param": []}, {"get_param": [[]]}, {"get_param": {}}]
)
def test_what_is_no_number_anywhere_is_told(written: Any) -> None:
    with pytest.raises(UnresolvedProperty, match="it is written as"):
        read_number(written, PARAMETERS, "it")


def test_a_word_is_read_likewise() -> None:
    assert read_word("a", {}, "it") == read_word({"get_param": "kind"}, {"kind": "a"}, "it") == "a"
    for written in ({"get_attr": ["x", "y"]}, {"get_param": "none"}, None, 7):
        with pytest.raises(UnresolvedProperty, match="only a word"):
            read_word(written, {}, "it")
