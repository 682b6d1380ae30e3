"""How a wrapper says no."""


class Refusal(Exception):
    """The old version would have refused this, with these words and this exit code."""

    def __init__(self, words: str, code: int) -> None:
        self.code = code
        super().__init__(words)
