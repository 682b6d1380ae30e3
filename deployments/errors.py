"""Why applying can stop."""

from collections.abc import Sequence


class ConfigurationError(Exception):
    """Files of the operator's that can't be used.

    Attributes:
        problems: Each as `file: key: what is wrong`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


class ServerError(Exception):
    """The Prefect server can't be reached, or refuses what it is given."""
