"""A node's BMC by Redfish (sushy): power, virtual media, what it boots from.

What a BMC answers to an order is not believed: each change is followed by a wait for what it then says of itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import sushy
from sushy import auth, exceptions
from sushy.resources.system.system import System

from blocks.remote import bmc_media
from blocks.remote.bmc_errors import BmcError, BmcLoginRejected, BmcUnreachable, explain
from blocks.remote.bmc_session import Session, login
from blocks.remote.errors import Stopped
from blocks.remote.secrets import register

ON, OFF = "On", "Off"
# What a node can boot from: Redfish's words, of which a BMC may know one or the other.
_CD = (sushy.BOOT_SOURCE_TARGET_CD, sushy.BOOT_SOURCE_TARGET_USB_CD)
_DISK = (sushy.BOOT_SOURCE_TARGET_HDD,)


@dataclass(frozen=True)
class BmcAccount:
    """How a BMC is reached.

    Attributes:
        url: `https://address:port`.
        user: The account.
        password_file: Where its password is; read at the first request.
        sha256: Fingerprint of its certificate; None where an authority that this machine trusts has signed it.
        system: Which of the systems that it manages; None where it manages one.
    """

    url: str
    user: str
    password_file: Path = field(repr=False)
    sha256: str | None = None
    system: str | None = None


class Bmc:
    """One node's BMC; nothing is read or connected before the first request.

    Args:
        name: What it is called in plans and errors.
        account: How it is reached.
    """

    retryable: ClassVar[tuple[type[Exception], ...]] = (BmcUnreachable,)

    def __init__(self, name: str, account: BmcAccount) -> None:
        self.name = name
        self._account = account
        self._closed = threading.Event()
        self._opening = threading.Lock()
        self._system: System | None = None
        self._session: Session | None = None
        self._login: auth.AuthBase | None = None

    # -- what it says

    def power(self) -> str:
        """Whether the node is `On` or `Off`, or what lies between.

        Raises:
            BmcError: One of `blocks.remote.bmc_errors`, as every method.
            Stopped: `close` was called before.
        """
        with self._asking("read the power state") as system:
            return system.power_state.value if system.power_state else ""

    def uuid(self) -> str:
        """The node's UUID, as its firmware has it, in lower case; empty where the BMC does not know it."""
        with self._asking("read the UUID") as system:
            return str(system.uuid or "").lower()

    def image(self) -> str:
        """The ISO in the virtual drive, by its address, or however the BMC shows it; empty where there is none."""
        with self._asking("read the virtual media") as system:
            return bmc_media.image_in(bmc_media.find_drive(self.name, system))

    def boots_from(self) -> str:
        """What it boots from next, beside its boot order: `Cd`, `Hdd`, …; empty where it keeps to that order."""
        with self._asking("read the boot override") as system:
            told = [system.json.get("Boot"), self._pending(system).get("Boot")]
        for boot in filter(None, reversed(told)):
            target, enabled = boot.get("BootSourceOverrideTarget"), boot.get("BootSourceOverrideEnabled")
            if target not in {None, "None"} and enabled not in {None, "Disabled"}:
                return str(target)
        return ""

    def boots_from_cd(self) -> bool:
        """Whether its next boot is from virtual media."""
        return self.boots_from() in {target.value for target in _CD}

    # -- what it does

    def power_on(self) -> None:
        """Power the node on."""
        self._reset("power it on", sushy.RESET_TYPE_ON)

    def power_off(self) -> None:
        """Cut the node's power, as documented for a node that is to be restored: what runs there is lost anyway."""
        self._reset("power it off", sushy.RESET_TYPE_FORCE_OFF)

    def insert(self, url: str) -> None:
        """Put an ISO into the virtual drive, in place of whatever is in it.

        Args:
            url: Where the BMC finds it; without a query, which some can't bear.
        """
        with self._asking("insert the ISO") as system:
            drive = bmc_media.find_drive(self.name, system)
            if bmc_media.image_in(drive):
                bmc_media.eject(drive)
            bmc_media.insert(drive, url)

    def eject(self) -> None:
        """Empty the virtual drive."""
        with self._asking("eject the ISO") as system:
            bmc_media.eject(bmc_media.find_drive(self.name, system))

    def boot_from_cd(self) -> None:
        """Have the next boot be from virtual media. Some stay with it for ever: say afterwards where it boots from."""
        self._boot("boot from virtual media", _CD, sushy.BOOT_SOURCE_ENABLED_ONCE)

    def boot_from_disk(self) -> None:
        """Have every boot be from the disk, or by its own boot order where it can't be told that."""
        with self._asking("boot from the disk") as system:
            if set(_DISK) & system.get_allowed_system_boot_source_values():
                # Some know an override for one boot alone.
                with suppress(exceptions.BadRequestError):
                    system.set_system_boot_options(_DISK[0], sushy.BOOT_SOURCE_ENABLED_CONTINUOUS)
                    return
            system.set_system_boot_options(enabled=sushy.BOOT_SOURCE_ENABLED_DISABLED)

    def close(self) -> None:
        """Log out; whatever is under way ends within its request's deadline, and nothing new goes out."""
        session, logged_in = self._session, self._login
        if logged_in is not None and not self._closed.is_set():
            with suppress(exceptions.SushyError, Stopped):  # a session that is left ends by itself
                logged_in.close()
        self._closed.set()
        if session is not None:
            session.close()

    # -- how

    def _reset(self, action: str, kind: sushy.ResetType) -> None:
        with self._asking(action) as system:
            system.reset_system(kind)

    def _boot(
        self, action: str, targets: tuple[sushy.BootSource, ...], enabled: sushy.BootSourceOverrideEnabled
    ) -> None:
        with self._asking(action) as system:
            known = system.get_allowed_system_boot_source_values()
            target = next((target for target in targets if target in known), None)
            if target is None:
                said = f"it can't be told to {action}: it knows {', '.join(sorted(each.value for each in known))}"
                raise BmcError(self.name, said, "set it at its console, and boot the ISO by hand")
            system.set_system_boot_options(target, enabled)

    @contextmanager
    def _asking(self, action: str) -> Iterator[System]:
        """Give the node as the BMC has it now, and turn what sushy raises into this project's errors.

        Raises:
            BmcError: One of `blocks.remote.bmc_errors`.
            Stopped: `close` was called before.
        """
        if self._closed.is_set():
            raise Stopped(self.name, f"the run was stopped (it was about to {action})")
        try:
            system = self._open()
            system.invalidate()
            system.refresh()
            yield system
        except exceptions.SushyError as error:
            raise explain(self.name, action, error) from error

    def _open(self) -> System:
        with self._opening:
            if self._system is None:
                session = Session(self.name, self._account.url, self._account.sha256, self._closed)
                self._session = session
                self._login = login(self._account.user, self._password())
                root = sushy.Sushy(self._account.url, auth=self._login, connector=session)
                self._system = self._find_system(root)
            return self._system

    def _pending(self, system: System) -> dict[str, Any]:
        """What a BMC with a settings resource has been told, and shows as its own only once the node has booted."""
        settings = (system.json.get("@Redfish.Settings") or {}).get("SettingsObject") or {}
        uri = settings.get("@odata.id")
        found: dict[str, Any] = self._session.get(uri).json() if uri and self._session else {}
        return found

    def _find_system(self, root: sushy.Sushy) -> System:
        members = root.get_system_collection().get_members()
        wanted = self._account.system
        found = [each for each in members if wanted in {None, each.identity, each.name, each.uuid}]
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(each.identity for each in members)) or "none"
        said = f"it manages no system {wanted!r}" if wanted else f"it manages {len(members)} systems"
        raise BmcError(
            self.name, f"{said}; those are {known}", "write `system` into its section [bmc] of the site file"
        )

    def _password(self) -> str:
        try:
            password = self._account.password_file.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            said = f"{self._account.password_file} can't be read: {type(error).__name__}"
            raise BmcLoginRejected(
                self.name, said, "see `password_file` of its section [bmc] in the site file"
            ) from error
        return register(password)
