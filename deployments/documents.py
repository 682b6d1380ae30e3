"""The blocks of a site, as documents on the server."""

from collections.abc import Iterator

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound

from blocks.cloud import CloudAccess
from blocks.database import GaleraDatabase, UndercloudDatabase
from blocks.site import Site
from blocks.ssh import SSHAccess
from blocks.store import BackupStore
from deployments.changes import Change, changed_or_not

# The parts of a site first: its own type refers to theirs.
BLOCK_TYPES: tuple[type[Block], ...] = (
    SSHAccess,
    GaleraDatabase,
    UndercloudDatabase,
    BackupStore,
    CloudAccess,
    Site,
)
_PARTS = ("ssh", "database", "undercloud_database", "store", "cloud")
_SHOWN = ("logo_url", "documentation_url", "description", "code_example")


def ensure_block_types(client: SyncPrefectClient, dry_run: bool) -> Iterator[Change]:
    """Register the block types and their schemas, unless the server has them as they are here."""
    for block_type in BLOCK_TYPES:
        change = _compare_type(client, block_type)
        if change.action != "unchanged" and not dry_run:
            block_type.register_type_and_schema()
        yield change


def _compare_type(client: SyncPrefectClient, block_type: type[Block]) -> Change:
    slug = block_type.get_block_type_slug()
    local = block_type._to_block_type()
    try:
        there = client.read_block_type_by_slug(slug)
    except ObjectNotFound:
        return Change("block type", slug, "created")
    parts = [key for key in _SHOWN if getattr(there, key) != getattr(local, key)]
    try:
        client.read_block_schema_by_checksum(
            block_type._calculate_schema_checksum(), version=block_type.get_block_schema_version()
        )
    except ObjectNotFound:
        parts.append("schema")
    return changed_or_not("block type", slug, parts)


def ensure_site(client: SyncPrefectClient, site: Site, dry_run: bool) -> Iterator[Change]:
    """Save a site under its name, and each part of it as a document of its own (`lab-ssh`)."""
    for part in _PARTS:
        block = getattr(site, part)
        if block is not None:
            yield _ensure_document(client, block, f"{site.site}-{part.replace('_', '-')}", dry_run)
    yield _ensure_document(client, site, site.site, dry_run)


def sites_on(client: SyncPrefectClient) -> set[str]:
    """Return the names of the sites that the server knows."""
    try:
        client.read_block_type_by_slug(Site.get_block_type_slug())
    except ObjectNotFound:
        return set()
    documents = client.read_block_documents_by_type(Site.get_block_type_slug())
    return {document.name for document in documents if document.name}


def _ensure_document(client: SyncPrefectClient, block: Block, name: str, dry_run: bool) -> Change:
    slug = block.get_block_type_slug()
    try:
        document = client.read_block_document_by_name(name, slug)
    except ObjectNotFound:
        if not dry_run:
            block.save(name)
        return Change("block", f"{slug}/{name}", "created")
    change = changed_or_not("block", f"{slug}/{name}", _differing(block, document))
    if change.parts and not dry_run:
        block.save(name, overwrite=True)
    else:
        # What `save` would have left on the block: a site refers to its parts by it.
        block._block_document_id = document.id
        block._block_document_name = name
    return change


def _differing(block: Block, document: BlockDocument) -> Iterator[str]:
    """Yield the fields in which a document differs from a block."""
    wanted = block.model_dump(mode="json", include=set(type(block).model_fields))
    for field in type(block).model_fields:
        reference = document.block_document_references.get(field)
        part = getattr(block, field)
        if isinstance(part, Block):
            # A part has a document of its own, compared on its own; here counts that it is this one.
            if reference is None or reference["block_document"]["id"] != str(part._block_document_id):
                yield field
        elif document.data.get(field) != wanted[field]:
            yield field
    if document.block_schema and document.block_schema.checksum != block._calculate_schema_checksum():
        yield "schema"
