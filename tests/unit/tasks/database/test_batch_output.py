"""The client's escapes are undone: a name may have a tab, a line break or a backslash in it."""

from tasks.database.batch_output import parse_rows


def test_each_line_is_a_row_of_values() -> None:
    assert parse_rows("user\tnova\n\tempty first\n") == [["user", "nova"], ["", "empty first"]]


def test_escaped_tabs_line_breaks_and_backslashes_are_part_of_a_value() -> None:
    assert parse_rows(r"a\tb" + "\t" + r"c\nd" + "\t" + r"nova\\_cell0" + "\n") == [["a\tb", "c\nd", r"nova\_cell0"]]
