"""One host of a site."""

from pydantic import BaseModel, Field

from blocks.constraints import Address, HostName


class Host(BaseModel, frozen=True):
    """A host by its inventory name, and the address that it is reached at."""

    name: HostName = Field(description="Name in the inventory.")
    address: Address = Field(description="Address that SSH connects to.")

    def __str__(self) -> str:
        return self.name
