"""BMCs as they are: each of their faults ends well, or with a sentence that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.remote.bmc import Bmc, BmcAccount
from blocks.remote.bmc_errors import BmcError, BmcLoginRejected, BmcUnreachable
from blocks.remote.errors import Stopped
from blocks.remote.secrets import mask
from tests.redfish.in_process import ask_in_process
from tests.redfish.service import PASSWORD, USER, UUID, Redfish
from tests.unit.fakes import FakeClock

ISO = "http://192.0.2.50/images/controller-0/20261127T020000Z/controller-0.iso"
Client = Callable[..., Bmc]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Client:
    return ask_in_process(monkeypatch, tmp_path)


def boot_the_iso(bmc: Bmc) -> None:
    bmc.power_off()
    bmc.insert(ISO)
    bmc.boot_from_cd()
    bmc.power_on()


def is_booted_and_put_back(service: Redfish, bmc: Bmc) -> None:
    booted: list[bool] = []
    service.booted = booted.append
    boot_the_iso(bmc)
    assert (bmc.power(), bmc.image(), booted) == ("On", ISO, [True])
    bmc.power_off()
    bmc.boot_from_disk()
    bmc.eject()
    bmc.power_on()
    assert (bmc.power(), bmc.image(), booted) == ("On", "", [True, False])
    assert not bmc.boots_from_cd()


def test_an_iso_is_booted_and_the_node_boots_from_its_disk_again(client: Client) -> None:
    service = Redfish()
    bmc = client(service)
    assert bmc.uuid() == UUID
    is_booted_and_put_back(service, bmc)


@pytest.mark.parametrize(
    "faults",
    [
        {"stuck_inserted": True},
        {"eject_wants_body": True},
        {"patch_only": True},
        {"wants_protocol": True},
        {"types": ("DVD",)},
        {"types": ("Floppy", "DVD", "USBStick")},
        {"targets": ("None", "UsbCd", "Hdd")},
        {"targets": ("None", "UsbCd", "Cd", "Hdd")},
        {"targets": ("None", "Pxe", "Cd")},
        {"below_systems": True},
        {"settings_only": True},
        {"settings_only": True, "shown_late": True},
        {"once_ignored": True},
        {"once_only": True},
        {"session_lasts": 2},
        {"no_query": True},
    ],
    ids=lambda faults: " ".join(f"{name}={value}" for name, value in faults.items()),
)
def test_a_fault_that_can_be_lived_with_changes_nothing(client: Client, faults: dict[str, object]) -> None:
    service = Redfish(**faults)  # type: ignore[arg-type]
    is_booted_and_put_back(service, client(service))


def test_an_override_that_is_shown_by_the_settings_resource_alone_is_seen(client: Client) -> None:
    bmc = client(Redfish(settings_only=True, shown_late=True))
    bmc.boot_from_cd()
    assert bmc.boots_from_cd()
    bmc.boot_from_disk()
    assert bmc.boots_from() == "Hdd"


def test_one_that_ignores_once_would_boot_the_iso_again_unless_it_is_told_where_it_boots_from(client: Client) -> None:
    service = Redfish(once_ignored=True)
    bmc = client(service)
    boot_the_iso(bmc)
    assert bmc.boots_from_cd()
    bmc.boot_from_disk()
    assert (bmc.boots_from(), service.enabled) == ("Hdd", "Continuous")


def test_one_that_says_inserted_of_an_empty_drive_is_ejected_once_more(client: Client) -> None:
    service = Redfish(stuck_inserted=True, image="http://192.0.2.9/old.iso")
    bmc = client(service)
    bmc.eject()
    assert bmc.image() == ""
    bmc.insert(ISO)
    assert bmc.image() == ISO


def test_what_is_in_the_drive_already_is_replaced(client: Client) -> None:
    service = Redfish(image="http://192.0.2.9/old.iso")
    bmc = client(service)
    bmc.insert(ISO)
    assert bmc.image() == ISO


def test_an_iso_by_nfs_comes_with_its_protocol(client: Client) -> None:
    service = Redfish(wants_protocol=True)
    bmc = client(service)
    bmc.insert("nfs://192.0.2.50/ctl_plane_backups/controller-0.iso")
    assert bmc.image().startswith("nfs:")


@pytest.mark.parametrize("service", [Redfish(insert_ignored=True), Redfish(eject_fails=500, image=ISO)])
def test_what_is_answered_is_not_believed_and_what_is_in_the_drive_can_be_read(
    client: Client, service: Redfish
) -> None:
    before = service.image
    bmc = client(service)
    if before:
        bmc.eject()
    else:
        bmc.insert(ISO)
    assert bmc.image() == (before or "")


def test_one_that_is_busy_is_asked_again(client: Client, clock: FakeClock) -> None:
    service = Redfish()
    bmc = client(service)
    assert bmc.power() == "On"
    service.busy = 5
    before = clock.now
    bmc.power_off()
    assert service.power == "Off"
    assert clock.now - before == 15
    service.busy = 1000
    with pytest.raises(BmcUnreachable, match="controller-0's BMC: it went on answering 503"):
        bmc.power()


def test_no_drive_for_an_iso_is_told_with_what_there_is(client: Client) -> None:
    with pytest.raises(BmcError, match="it has no virtual drive for an ISO, only for Floppy"):
        client(Redfish(types=("Floppy",))).insert(ISO)
    with pytest.raises(BmcError, match="it has no virtual drive for an ISO") as raised:
        client(Redfish(types=())).image()
    assert "boot the ISO by hand" in raised.value.hint


def test_one_that_can_not_boot_from_a_cd_is_told_with_what_it_can(client: Client) -> None:
    with pytest.raises(BmcError, match="it can't be told to boot from virtual media: it knows Hdd, None, Pxe"):
        client(Redfish(targets=("None", "Pxe", "Hdd"))).boot_from_cd()


def test_a_refused_order_is_told_in_the_bmcs_own_words(client: Client) -> None:
    with pytest.raises(BmcError, match=r"could not insert the ISO: .*the address of an image has no query"):
        client(Redfish(no_query=True)).insert(f"{ISO}?a=b")


def test_a_wrong_password_is_told_and_stands_nowhere(client: Client, tmp_path: Path) -> None:
    bmc = client(Redfish())
    (tmp_path / "password").write_text("an0ther one\n")
    with pytest.raises(BmcLoginRejected, match="it refuses the account") as raised:
        bmc.power()
    assert "an0ther" not in f"{raised.value!r}{raised.value.hint}"
    assert mask("said an0ther one") == "said ********"


def test_an_order_that_the_licence_lacks_is_told_in_the_bmcs_own_words(client: Client) -> None:
    with pytest.raises(BmcLoginRejected, match=r"could not insert the ISO\): .*this needs a licence for virtual media"):
        client(Redfish(forbids="InsertMedia")).insert(ISO)


def test_one_that_was_never_reached_is_closed_like_any_other(client: Client, clock: FakeClock) -> None:
    bmc = client(Redfish(busy=1000))
    with pytest.raises(BmcUnreachable):
        bmc.power()
    bmc.close()
    with pytest.raises(Stopped):
        bmc.power()


def test_a_session_is_ended_when_it_is_closed(client: Client) -> None:
    service = Redfish()
    bmc = client(service)
    bmc.power()
    assert service._asked
    bmc.close()
    assert service._asked == {}


def test_without_its_password_nothing_is_asked(tmp_path: Path) -> None:
    bmc = Bmc("the BMC", BmcAccount("https://192.0.2.1", USER, tmp_path / "gone"))
    with pytest.raises(BmcLoginRejected, match="gone can't be read: FileNotFoundError"):
        bmc.power()


def test_of_several_systems_one_must_be_named(client: Client) -> None:
    service = Redfish(systems=("1", "2"))
    with pytest.raises(BmcError, match="it manages 2 systems; those are 1, 2"):
        client(service).power()
    with pytest.raises(BmcError, match="it manages no system '3'; those are 1, 2"):
        client(service, system="3").power()
    assert client(service, system="1").power() == "On"


def test_once_it_is_closed_nothing_goes_out(client: Client) -> None:
    service = Redfish()
    bmc = client(service)
    assert bmc.power() == "On"
    bmc.close()
    with pytest.raises(Stopped):
        bmc.power_off()
    assert (service.power, service.resets) == ("On", [])


def test_an_account_shows_no_password_file() -> None:
    account = BmcAccount("https://192.0.2.1", USER, Path("/secret/place"))
    assert "/secret/place" not in repr(account)
    assert PASSWORD not in repr(account)
