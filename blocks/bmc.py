"""How the BMC of a node is reached."""

import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from blocks.constraints import Address
from blocks.remote.bmc import Bmc, BmcAccount

_SHA256 = re.compile(r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")
_OPTION = "sha256 Fingerprint="


def _fingerprint(text: str) -> str:
    """Read a fingerprint as openssl and browsers show it, with colons or without."""
    found = text.removeprefix(_OPTION)
    if not _SHA256.match(found):
        raise ValueError(
            "must be a SHA-256 as `openssl x509 -noout -fingerprint -sha256` prints it: 32 bytes in hexadecimal digits"
        )
    return found.replace(":", "").lower()


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
AccountName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$", max_length=64)]
SystemName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128)]


class BmcAccess(BaseModel):
    """A node's BMC, by Redfish over HTTPS. Holds the path of the password, never the password."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    address: Address = Field(description="Address of the BMC, which the worker must reach.")
    port: int = Field(default=443, ge=1, le=65535, description="Port of its Redfish service.")
    user: AccountName = Field(description="Account that may operate the node, and use its virtual media.")
    password_file: Path = Field(
        description="Path of the file on the worker's machine that holds its password, readable by its owner only."
    )
    certificate_sha256: Fingerprint | None = Field(
        default=None,
        description="SHA-256 of the BMC's certificate; none where an authority that the worker's machine trusts has signed it.",
    )
    system: SystemName | None = Field(
        default=None, description="Id of the node among the systems that the BMC manages; none where it manages one."
    )

    def client(self, host: str) -> Bmc:
        """Return a client of the BMC; nothing is read or connected yet.

        Args:
            host: The node's name.
        """
        address = f"[{self.address}]" if ":" in self.address else self.address
        return Bmc(
            f"{host}'s BMC",
            BmcAccount(
                f"https://{address}:{self.port}", self.user, self.password_file, self.certificate_sha256, self.system
            ),
        )
