"""What Prefect expects of every block, in its own words."""

import re

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import SecretStr, ValidationError

from blocks.cloud import CloudAccess
from blocks.database import GaleraDatabase, UndercloudDatabase
from blocks.site import Site
from blocks.ssh import SSHAccess
from blocks.store import BackupStore

BLOCKS: list[type[Block]] = [Site, SSHAccess, GaleraDatabase, UndercloudDatabase, BackupStore, CloudAccess]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
class TestBlocks(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        return request.param  # type: ignore[no-any-return]

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Prefect's own test fetches the image, where Pillow is installed; a unit test does without the network."""
        assert re.fullmatch(r"https://\S+\.png", str(block._logo_url))

    def test_holds_no_secret(self, block: type[Block]) -> None:
        assert block.model_json_schema()["secret_fields"] == []
        assert not any(field.annotation is SecretStr for field in block.model_fields.values())

    def test_refuses_an_unknown_field(self, block: type[Block]) -> None:
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            block(prot=22)

    def test_nested_blocks_have_a_description_too(self, block: type[Block]) -> None:
        assert all(field.description for field in block.model_fields.values())
