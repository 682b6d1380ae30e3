"""Tables that are written as lines of words."""


def words(table: str) -> list[str]:
    """Returns the words of a table."""
    return table.split()
