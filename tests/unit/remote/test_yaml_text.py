"""What is no YAML is told by its place, and never quoted; values are what their owner's parser makes of them."""

from __future__ import annotations

from datetime import date

import pytest

from blocks.remote.yaml_text import HeatLoader, InvalidYaml, SafeLoader, parse_yaml


@pytest.mark.parametrize("loader", [SafeLoader, HeatLoader])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: @hunter2\n", 2),
        ("a: !hunter2 x\n", 1),
        ("a: *hunter2\n", 1),
        ('a: "x\\hunter2"\n', 1),
        ("a:\n  - hunter2\n b: 1\n", 3),
        ("a: [hunter2\nb: 1\n", 2),
        ("a: !!int hunter2\n", 1),
        ("a: !!bool hunter2\n", 1),
        ("a: 0b_\n", 1),
    ],
)
def test_the_place_is_told_and_nothing_of_the_text(text: str, line: int, loader: type[SafeLoader]) -> None:
    with pytest.raises(InvalidYaml) as invalid:
        parse_yaml(text, loader)
    assert invalid.value.line in {line, line - 1}
    assert f"line {invalid.value.line}, column" in str(invalid.value)
    assert "hunter2" not in str(invalid.value)


def test_a_date_stays_text_for_heat_alone() -> None:
    assert parse_yaml("a: 2024-05-01", HeatLoader) == {"a": "2024-05-01"}
    assert parse_yaml("a: 0000-00-00", HeatLoader) == {"a": "0000-00-00"}
    assert parse_yaml("a: 2024-05-01") == {"a": date(2024, 5, 1)}
    with pytest.raises(InvalidYaml, match="line 1, column 4: it looks like a value of the kind timestamp, and is none"):
        parse_yaml("a: 0000-00-00")


def test_what_is_nested_too_deep_or_no_character_of_yaml_is_an_error_of_the_same_kind() -> None:
    for text in ("[" * 5000, "a: \x00", "a: \ud800"):
        with pytest.raises(InvalidYaml):
            parse_yaml(text)
