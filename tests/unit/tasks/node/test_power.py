"""Power, virtual media and boot order: looked at first, done, and waited for, on a BMC that may not do as it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.remote.bmc import Bmc
from blocks.remote.errors import WaitExpired
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tasks.node import power
from tests.redfish.in_process import ask_in_process
from tests.redfish.service import Redfish
from tests.unit.fakes import FakeClock, silent

ISO = "http://192.0.2.50/images/controller-0.iso"
Client = Callable[..., Bmc]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Client:
    return ask_in_process(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (Redfish(power="On"), power.power_off(60), ("Off", None, "None")),
        (Redfish(power="Off"), power.power_on(60), ("On", None, "None")),
        (Redfish(), power.insert_iso(ISO, 60), ("On", ISO, "None")),
        (Redfish(image=ISO), power.eject_iso(60), ("On", None, "None")),
    ],
)
def test_each_is_done_once(
    client: Client, before: Redfish, change: Change[Bmc], after: tuple[str, str | None, str]
) -> None:
    bmc = client(before)
    assert [apply_change(bmc, change, silent) for _ in range(2)] == ["done", "already"]
    assert (before.power, before.image, before.target) == after
    assert change.shown[0].startswith("Redfish: ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (ISO, {"ImageName": "controller-0.iso"}),
        ("nfs://192.0.2.50/images/controller-0.iso", {"Image": "192.0.2.50:/images/controller-0.iso"}),
    ],
)
def test_an_iso_is_known_however_the_bmc_shows_it(client: Client, url: str, shown: dict[str, str]) -> None:
    service = Redfish(shows=lambda _: shown)
    bmc = client(service)
    assert apply_change(bmc, power.insert_iso(url, 60), silent) == "done"
    assert service.image == url
    assert apply_change(bmc, power.eject_iso(60), silent) == "done"
    assert service.image is None


def test_another_iso_is_not_taken_for_the_one_that_was_inserted(client: Client, clock: FakeClock) -> None:
    service = Redfish(shows=lambda _: {"Image": "http://192.0.2.50/images/controller-1.iso"})
    with pytest.raises(WaitExpired, match=r"last seen 'http://192\.0\.2\.50/images/controller-1\.iso'"):
        apply_change(client(service), power.insert_iso(ISO, 30), silent)


def test_virtual_media_is_said_even_where_an_earlier_boot_has_left_it(client: Client) -> None:
    service = Redfish(target="Cd", enabled="Disabled")
    assert apply_change(client(service), power.boot_from_cd(60), silent) == "done"
    assert (service.target, service.enabled) == ("Cd", "Once")


def test_the_disk_is_said_explicitly_each_time(client: Client) -> None:
    service = Redfish(target="Cd", enabled="Once", once_ignored=True)
    assert apply_change(client(service), power.boot_from_disk(60), silent) == "done"
    assert (service.target, service.enabled) == ("Hdd", "Continuous")


def test_a_node_that_shuts_down_by_itself_is_left_to(client: Client, clock: FakeClock) -> None:
    service = Redfish(power="Off")
    assert apply_change(client(service), power.await_power_off(60, 60), silent) == "already"
    assert service.resets == []
    service = Redfish(power="On")
    assert apply_change(client(service), power.await_power_off(60, 60), silent) == "done"
    assert service.resets == ["ForceOff"]


@pytest.mark.parametrize(
    ("service", "change", "said"),
    [
        (Redfish(insert_ignored=True), power.insert_iso(ISO, 30), f"the virtual drive never became '{ISO}'"),
        (Redfish(image=ISO, eject_fails=500), power.eject_iso(30), "the virtual drive never became 'empty'"),
    ],
)
def test_one_that_does_not_do_as_it_says_is_found_out(
    client: Client, clock: FakeClock, service: Redfish, change: Change[Bmc], said: str
) -> None:
    with pytest.raises(WaitExpired, match=f"controller-0's BMC: {said}") as raised:
        apply_change(client(service), change, silent)
    assert "the BMC's own page" in raised.value.hint
