"""What is unusual and whole is called whole."""

import pytest

from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.grant_clauses import native_password_hash
from tests.database.backups import LARGEST, Backup, drill
from tests.database.healthy import HEALTHY
from tests.database.local_server import LocalServer


@pytest.fixture(scope="module")
def restored(healthy: Backup, target: LocalServer) -> ServerContents:
    assert drill(healthy, target) == []
    return read_contents(target.shell, target.server, LARGEST, 600)


@pytest.mark.parametrize(("number", "name"), list(enumerate(HEALTHY)), ids=list(HEALTHY))
def test_it_comes_back_whole(number: int, name: str, healthy: Backup, restored: ServerContents) -> None:
    schema = f"v{number}"
    only = healthy.contents.model_copy(update={"schemas": {schema: healthy.contents.schemas[schema]}})
    back = restored.model_copy(update={"schemas": {schema: restored.schemas[schema]}})
    comparison = compare(only, back)
    assert comparison.same, [str(one) for one in comparison.differences]
    assert not only.unreadable


def test_the_sample_comes_back_whole(backup: Backup, target: LocalServer) -> None:
    assert drill(backup, target) == []


def test_what_is_kept_of_a_server_comes_back_from_json(backup: Backup) -> None:
    assert ServerContents.model_validate_json(backup.contents.model_dump_json()) == backup.contents


def test_no_secret_is_kept(backup: Backup) -> None:
    kept = backup.contents.model_dump_json()
    assert "nova-password" not in kept
    assert native_password_hash("nova-password") not in kept
    assert "DELETE FROM" not in kept, "a routine's or an event's body may hold a secret"
