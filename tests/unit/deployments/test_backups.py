"""`python -m deployments backups` on a store in a folder: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Failed, Pending

import deployments.backups
from blocks.site import Host, Site
from deployments.__main__ import main
from deployments.backup_texts import show_text, size, table
from deployments.backups import load_site
from deployments.errors import ConfigurationError
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Role
from tasks.backup.records import Imaged, NodeImage, Pinned, pin_of
from tasks.backup.store import Store
from tests.site_files import write_site
from tests.unit.tasks.backup.samples import DUMP, START, make_set, make_store, run_id, verification
from tests.unit.tasks.samples import SITE

STORE = '\n[store]\nkind = "sftp"\nhost = "192.168.24.100"\npath = "/backups"\n'


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    root = tmp_path / "store"
    root.mkdir()
    made = make_store(root)
    hosts = SITE.hosts | {"backup-node": "192.0.2.9"}
    site = SITE.model_copy(update={"store": made.settings, "hosts": hosts, "backup_node": "backup-node"})
    monkeypatch.setattr(deployments.backups, "load_site", lambda _: site)
    monkeypatch.setattr(Site, "shell", lambda _, host: made.shell)
    monkeypatch.setattr(deployments.backups, "_now", lambda: START + timedelta(days=3))
    return made


@pytest.fixture
def names(store: Store) -> list[SetName]:
    return [make_set(store, number) for number in range(3)]


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*words: str) -> tuple[int, str, str]:
        code = main(["backups", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return say


def test_lists_the_latest_first_with_what_they_are_worth(store: Store, names: list[SetName], say: Say) -> None:
    store.record(names[0], verification())
    store.record(names[0], Pinned(at=datetime(2026, 11, 27, tzinfo=UTC), by="Jane Doe"))
    store.record(names[1], verification(differences=("table a: 2 rows instead of 3",)))
    assert say("list") == (
        5,
        "BACKUP                                                    SIZE  OF                  STATE\n"
        "backup-undercloud-database/2026-11-29T01-30-00Z-00000002  10 B  undercloud logical  not verified\n"
        "backup-undercloud-database/2026-11-28T01-30-00Z-00000001  10 B  undercloud logical  not verified\n"
        "backup-undercloud-database/2026-11-27T01-30-00Z-00000000  10 B  undercloud logical  "
        "verified, restored in 62 s; pinned by Jane Doe\n"
        "note: the newest verified undercloud logical by backup-undercloud is 72 h old; at most 26 h are wanted\n",
        "",
    )


def test_lists_how_long_each_of_a_sets_restores_took(store: Store, say: Say) -> None:
    copy: dict[str, tuple[Role, str]] = {"undercloud.mbstream": ("physical copy", "x")}
    name = make_set(store, 0, {**DUMP, **copy})
    store.record(name, verification())
    assert "verified: undercloud logical alone" in say("list")[1]
    store.record(name, verification(method="physical", restore_seconds=7.6))
    assert "verified, restored in 62 s (undercloud logical), 8 s (undercloud physical)\n" in say("list")[1]


def test_lists_for_programs(store: Store, names: list[SetName], say: Say) -> None:
    store.record(names[2], verification(2))
    code, said, _ = say("list", "--json")
    told = json.loads(said)
    assert (code, told["site"], told["entries"], told["notes"]) == (0, "lab", 4, [])
    assert [row["id"] for row in told["backups"]] == [str(name) for name in reversed(names)]
    assert told["backups"][0] == {
        "id": str(names[2]),
        "started": "2026-11-29T01:30:00Z",
        "size_bytes": 10,
        "kinds": ["undercloud logical"],
        "verified": ["undercloud logical"],
        "restore_seconds": {"undercloud logical": 61.5},
        "images": {},
        "pinned": None,
        "problem": "",
    }


def test_images_that_belong_to_a_backup_are_listed_and_shown(store: Store, names: list[SetName], say: Say) -> None:
    image = NodeImage(host="controller-0", run="20261128T020000Z", size_bytes=3 * 2**30)
    store.record(names[0], Imaged(at=START, run_id=run_id(0), images=(image,)))
    _, said, _ = say("list")
    assert [line for line in said.splitlines() if "undercloud logical, 1 image" in line]
    _, shown, _ = say("show", str(names[0]))
    assert "images: controller-0/20261128T020000Z (3.0 GiB)" in shown
    _, told, _ = say("list", "--json")
    assert {"controller-0/20261128T020000Z": 3 * 2**30} in [row["images"] for row in json.loads(told)["backups"]]


def test_a_missed_night_is_told_by_the_exit_code(store: Store, names: list[SetName], say: Say) -> None:
    store.record(names[2], verification(2))
    assert say("list")[0] == 0
    store.settings.max_age_h = 12
    code, said, _ = say("list")
    assert code == 5
    assert "is 24 h old; at most 12 h are wanted" in said


def test_an_empty_store_is_no_error(store: Store, say: Say) -> None:
    assert say("list") == (0, "note: there is no backup\n", "")


def test_a_damaged_set_is_told_by_the_exit_code_too(store: Store, names: list[SetName], say: Say) -> None:
    manifest = Path(store.base) / str(names[1]) / "manifest.json"
    manifest.write_text(manifest.read_text().replace("undercloud", "overcloud"))
    code, said, _ = say("list")
    assert code == 3
    assert "DAMAGED: its manifest is not the one that was sealed" in said
    code, _, error = say("show", str(names[1]))
    assert (code, "is not the manifest that was sealed" in error) == (1, True)


def test_a_damaged_catalogue_is_told(store: Store, names: list[SetName], say: Say) -> None:
    (Path(store.base) / "catalogue/00000003.json").unlink()
    code, said, _ = say("list")
    assert code == 3
    assert f"note: entry 3 is missing from the catalogue\nnote: {names[1]} is not in the catalogue\n" in said


def test_a_set_that_somebody_has_taken_away_is_told_until_it_is_said_why(
    store: Store, names: list[SetName], say: Say
) -> None:
    assert say("forget", "2026-11-28", "--why", "moved to the archive")[:2] == (1, "")
    (Path(store.base) / str(names[1])).rename(Path(store.base).parent / "archive")
    code, said, _ = say("list")
    assert (code, "DAMAGED: it is gone, and no run has removed it" in said) == (3, True)
    assert say("forget", "2026-11-28", "--why", "moved to the archive", "--by", "Jane Doe") == (
        0,
        f"{names[1]} is out of the catalogue\n",
        "",
    )
    entry = store.catalogue().entries[-1]
    assert (entry.removed, entry.reason, entry.run_id) == (str(names[1]), "moved to the archive (Jane Doe)", None)
    code, said, _ = say("list")
    assert (code, str(names[1]) in said) == (5, False), "nothing is damaged, and none is verified"


def test_a_store_that_is_gone_ends_with_1(store: Store, say: Say) -> None:
    Path(store.settings.path).rmdir()
    code, said, error = say("list")
    assert (code, said) == (1, "")
    assert "is the store mounted?" in error


def test_shows_what_is_in_a_set_and_on_record_of_it(store: Store, names: list[SetName], say: Say) -> None:
    store.record(names[0], verification(differences=("table a: 2 rows instead of 3", "view b is missing")))
    code, said, _ = say("show", "2026-11-27", "--sums")
    assert code == 0
    assert said.splitlines()[:5] == [
        str(names[0]),
        "  not verified",
        "  made by backup-undercloud of site lab, flow run 00000000-0000-0000-0000-000000000001",
        "  begun 2026-11-27 01:30:00 UTC, sealed 2026-11-27 01:39:00 UTC",
        "  database undercloud of undercloud, 10.3.28-MariaDB",
    ]
    assert "undercloud.sql.gz  10 B  logical dump  none" in said
    assert said.splitlines()[-1] == (
        "2026-11-27 02:30 UTC  undercloud logical restored on undercloud in 62 s: "
        "table a: 2 rows instead of 3; view b is missing"
    )
    told = json.loads(say("show", str(names[0]), "--json")[1])
    assert told["manifest"]["files"][0]["name"] == "undercloud.sql.gz"
    assert told["records"][0]["event"] == "verified"


def test_shows_how_long_reading_what_is_in_a_database_has_taken(store: Store, names: list[SetName]) -> None:
    stored = store.catalogue().find(str(names[0]))
    manifest = store.manifest(stored)
    (database,) = manifest.databases
    read = database.model_copy(update={"contents": {"took_s": 12}})
    said = show_text(stored, manifest.model_copy(update={"databases": (read,)}), as_json=False)
    assert "  database undercloud of undercloud, 10.3.28-MariaDB, all of it read in 12 s" in said.splitlines()


def test_a_changed_file_is_found_by_its_checksum(store: Store, names: list[SetName], say: Say) -> None:
    (Path(store.base) / str(names[0]) / "undercloud.sql.gz").write_text("-- a dumP\n")
    assert say("show", str(names[0]))[0] == 0
    code, _, error = say("show", str(names[0]), "--sums")
    assert (code, error) == (3, "undercloud.sql.gz was changed: its checksum is another\n")


def test_pins_and_unpins(store: Store, names: list[SetName], say: Say) -> None:
    assert say("pin", "2026-11-28", "--why", "before the upgrade", "--until", "2027-01-31", "--by", "Jane Doe") == (
        0,
        f"{names[1]} stays until 2027-01-31 00:00 UTC\n",
        "",
    )
    pin = pin_of(store.catalogue().sets[1].records)
    assert pin is not None
    assert (pin.by, pin.why, pin.until) == ("Jane Doe", "before the upgrade", datetime(2027, 1, 31, tzinfo=UTC))
    assert "pinned by Jane Doe" in say("list")[1]
    assert "pinned by Jane Doe until 2027-01-31 00:00 UTC: before the upgrade" in say("show", "2026-11-28")[1]
    assert say("unpin", "2026-11-28") == (0, f"{names[1]} is not pinned any more\n", "")
    assert say("unpin", "2026-11-28") == (1, "", f"{names[1]} is not pinned\n")
    assert "unpinned by" in say("show", "2026-11-28")[1]


def test_a_set_that_is_not_there_ends_with_1(names: list[SetName], say: Say) -> None:
    code, _, error = say("show", "2025")
    assert (code, "site lab has no such set" in error) == (1, True)


@pytest.mark.parametrize(
    "words",
    [(), ("lst",), ("show",), ("pin", "x", "--until", "soon"), ("pin", "x", "--until", "2027-01-01T00:00+01:00")],
)
def test_a_wrong_argument_ends_with_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["backups", *words])
    assert end.value.code == 2


def test_a_site_without_a_store_ends_with_2(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments.backups, "load_site", lambda _: SITE)
    assert say("list") == (2, "", "site lab has no store: write a section [store] into its file, and apply it\n")


def test_a_site_s_file_needs_no_server(tmp_path: Path, say: Say) -> None:
    file = write_site(tmp_path, more=STORE)
    site = load_site(str(file))
    assert site.named("backup node") == Host(name="backup-node", address="192.168.24.100")
    file.write_text(file.read_text().replace("sftp", "ftp"))
    code, _, error = say("list", "--site", str(file))
    assert (code, "[store] kind: Input should be" in error) == (2, True)


@pytest.mark.parametrize(
    ("known", "named", "problem"),
    [
        ({}, None, "the server knows no site; --site FILE needs no server"),
        ({"lab": True, "prod": True}, None, "the server knows lab, prod: name one with --site"),
        ({"prod": True}, "lab", "the server knows no site 'lab'; it knows prod"),
    ],
)
def test_a_site_that_nobody_knows_is_refused(
    known: dict[str, bool], named: str | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def client() -> Iterator[None]:
        yield

    monkeypatch.setattr(deployments.backups, "server_client", client)
    monkeypatch.setattr(deployments.backups, "sites_on", lambda _: known)
    with pytest.raises(ConfigurationError) as error:
        load_site(named)
    assert problem in str(error.value)


def test_the_only_site_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def client() -> Iterator[None]:
        yield

    monkeypatch.setattr(deployments.backups, "server_client", client)
    monkeypatch.setattr(deployments.backups, "sites_on", lambda _: {"lab": True})
    monkeypatch.setattr(Site, "load", lambda name: SITE if name == "lab" else None)
    assert load_site(None) is SITE


def test_sizes_and_tables_read_well() -> None:
    assert [size(number) for number in (0, 1023, 1024, 1.5 * 2**30, 3 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 GiB",
        "3.0 TiB",
    ]
    assert table(["A", "B"], [["xyz", ""]]) == ["A    B", "xyz"]


class FakeClient:
    """A Prefect server with the deployment, whose run takes two looks and then ends so."""

    def __init__(self, ends: State[None], run_id: UUID, known: bool = True) -> None:
        self._ends, self._id, self._known = ends, run_id, known
        self.parameters: dict[str, object] = {}

    def read_deployment_by_name(self, name: str) -> SimpleNamespace:
        assert name == "verify-backup/verify-backup"
        if not self._known:
            raise ObjectNotFound(http_exc=Exception())
        return SimpleNamespace(id="d")

    def create_flow_run_from_deployment(self, deployment: str, parameters: dict[str, object]) -> SimpleNamespace:
        self.parameters = parameters
        return SimpleNamespace(id=self._id, name="eager-otter", state=Pending())

    def read_flow_run(self, run_id: UUID) -> SimpleNamespace:
        return SimpleNamespace(id=run_id, name="eager-otter", state=self._ends)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeClient]:
    """Lets a run of verify-backup end as it is said."""
    monkeypatch.setattr(deployments.backups, "_ASK_EVERY_S", 0.0)

    def served(ends: State[None], number: int = 9, known: bool = True) -> FakeClient:
        client = FakeClient(ends, run_id(number), known)
        monkeypatch.setattr(deployments.backups, "server_client", lambda: nullcontext(client))
        return client

    return served


def test_verifies_by_a_run_and_ends_as_that_does(
    store: Store, names: list[SetName], say: Say, served: Callable[..., FakeClient]
) -> None:
    client = served(Completed(message="All states completed."))
    assert say("verify") == (0, "All states completed.\n", "verify-backup on lab is on its way: flow run eager-otter\n")
    assert client.parameters == {"site": "lab", "backup": "latest"}
    served(Failed(message="backup-node can't be reached"))
    assert say("verify", "latest-unverified")[:2] == (4, "backup-node can't be reached\n")


def test_verify_says_what_differs(
    store: Store, names: list[SetName], say: Say, served: Callable[..., FakeClient]
) -> None:
    store.record(names[1], verification(9, differences=("table a: is missing",)))
    served(Failed(message="it is not what its manifest says"))
    code, said, _ = say("verify", "2026-11-28")
    assert (code, said) == (
        3,
        f"{names[1]}: undercloud: table a: is missing\nit is not what its manifest says\n",
    )


def test_verify_says_why_also_where_the_store_is_gone(
    store: Store, say: Say, served: Callable[..., FakeClient]
) -> None:
    Path(store.settings.path).rmdir()
    served(Failed(message="backup-node: refused"))
    code, said, _ = say("verify")
    assert code == 4
    assert said.startswith("backup-node: refused\n")
    assert "is the store mounted?" in said


def test_verify_without_the_deployment_says_what_to_do(
    store: Store, say: Say, served: Callable[..., FakeClient]
) -> None:
    served(Completed(), known=False)
    assert say("verify")[::2] == (2, "the server does not know verify-backup: `apply` a site\n")
