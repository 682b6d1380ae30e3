"""What a restore of Galera records besides its steps; other runbooks may read it."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict


class Contents(BaseModel):
    """What is loaded into a data directory that a restore has made anew, each by its fingerprint.

    Attributes:
        dump: Of the dump.
        grants: Of the grants.
    """

    model_config = ConfigDict(frozen=True)

    dump: str
    grants: str

    @property
    def key(self) -> str:
        """The same in a word, for names."""
        return hashlib.sha256(f"{self.dump}\n{self.grants}".encode()).hexdigest()[:12]


class RestoreState(BaseModel):
    """What the journal of a restore holds of the data directory.

    Attributes:
        contents: What the latest attempt loads into it. Until step 7 is settled, which makes it anew, something else may
            still lie there.
        exposed: Whether clients may have written to what the restore has built.
    """

    model_config = ConfigDict(frozen=True)

    contents: Contents | None = None
    exposed: bool = False
