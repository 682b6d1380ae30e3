"""What a restore of the undercloud's database records besides its steps; other runbooks may read it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tasks.node.tripleo_services import Services


class RestoreState(BaseModel):
    """What the journal of a restore holds.

    Attributes:
        dump: Fingerprint of the dump that the latest attempt loads; what an earlier one has loaded is discarded otherwise.
        services: What ran before the first attempt stopped it, and is to run again at the end.
    """

    model_config = ConfigDict(frozen=True)

    dump: str = ""
    services: Services = Services()
