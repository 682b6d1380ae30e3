"""A BMC in memory. `handle` is all of it, so that it can be asked with a socket (`tests.redfish.server`) and without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

USER, PASSWORD = "operator", "c0rrect horse"
UUID = "38947555-7742-3448-3784-823347823834"
SYSTEM, MANAGER, SETTINGS = "/redfish/v1/Systems/1", "/redfish/v1/Managers/1", "/redfish/v1/Systems/1/Settings"
SESSIONS = "/redfish/v1/SessionService/Sessions"
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the service answers."""

    status: int
    body: Body = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class _Fault(Exception):
    def __init__(self, status: int, message: str, code: str = "Base.1.0.GeneralError", about: str = "") -> None:
        told = {"MessageId": code, "Message": message, "Severity": "Critical"}
        if about:
            told["RelatedProperties"] = [f"#/{about}"]  # type: ignore[assignment]
        self.answer = Answer(status, {"error": {"code": code, "message": message, "@Message.ExtendedInfo": [told]}})


@dataclass
class Redfish:
    """One node's BMC.

    Attributes:
        power: `On` or `Off`.
        image: What is in the virtual drive.
        target: What it boots from next; `None` where it keeps to its order.
        enabled: For how long: `Once`, `Continuous`, `Disabled`.
        uuid: The node's.
        resets: The orders that it got.
        booted: Called at each power-on, with whether it boots from the virtual drive.
        stuck_inserted: Says `Inserted` of a drive that was emptied, and refuses to insert anything then.
        eject_wants_body: Refuses an eject without a body.
        eject_fails: Answers an eject with this status, and leaves what is in the drive; 0: ejects.
        patch_only: Has no actions: the drive is changed by PATCH.
        wants_protocol: Refuses an ISO without the protocol.
        no_query: Refuses an address with a query.
        shows: What it shows of an address that is inserted.
        insert_ignored: Accepts an ISO, and does not insert it.
        types: What the drive is for; none: there is no drive.
        below_systems: The drive is below the system, not below its manager.
        targets: What it can be told to boot from.
        settings_only: Takes the boot override by its settings resource alone.
        shown_late: Shows a boot override by its settings resource alone until it has booted.
        once_only: Refuses an override for more than one boot.
        once_ignored: Goes on booting from where it was told to boot from once.
        forbids: Answers an order whose path ends so with 403, as where the licence lacks it; empty: none.
        busy: So many requests get 503.
        session_lasts: Requests after which a session ends; 0: never.
        systems: Names of the systems that it manages.
    """

    power: str = "On"
    image: str | None = None
    target: str = "None"
    enabled: str = "Disabled"
    uuid: str = UUID
    resets: list[str] = field(default_factory=list)
    booted: Callable[[bool], None] = lambda _: None
    stuck_inserted: bool = False
    eject_wants_body: bool = False
    eject_fails: int = 0
    patch_only: bool = False
    wants_protocol: bool = False
    no_query: bool = False
    shows: Callable[[str], Body] = lambda url: {"Image": url}
    insert_ignored: bool = False
    types: tuple[str, ...] = ("CD", "DVD")
    below_systems: bool = False
    targets: tuple[str, ...] = ("None", "Pxe", "Cd", "Hdd")
    settings_only: bool = False
    shown_late: bool = False
    once_only: bool = False
    once_ignored: bool = False
    forbids: str = ""
    busy: int = 0
    session_lasts: int = 0
    systems: tuple[str, ...] = ("1",)
    _emptied: bool = False
    _shown: Body = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        """Answer a request."""
        path = path.rstrip("/") or "/"
        if self.busy:
            self.busy -= 1
            return Answer(503)
        try:
            if path not in {"/redfish/v1", "/redfish/v1/SessionService"} and (method, path) != ("POST", SESSIONS):
                self._authenticate(headers)
            return self._route(method, path, body)
        except _Fault as fault:
            return fault.answer

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        token = headers.get("X-Auth-Token", "")
        if token not in self._asked or (self.session_lasts and self._asked[token] >= self.session_lasts):
            self._asked.pop(token, None)
            raise _Fault(401, "no valid session")
        self._asked[token] += 1

    def _route(self, method: str, path: str, body: Body | None) -> Answer:
        if method == "POST" and self.forbids and path.endswith(self.forbids):
            raise _Fault(403, "this needs a licence for virtual media")
        if path.endswith("/VirtualMedia/Cd") and method == "PATCH" and self.patch_only:
            return self._insert(body or {}) if (body or {}).get("Image") else self._eject(body)
        routes: dict[tuple[str, str], Callable[[], Answer]] = {
            ("POST", SESSIONS): lambda: self._login(body or {}),
            ("POST", f"{SYSTEM}/Actions/ComputerSystem.Reset"): lambda: self._reset((body or {})["ResetType"]),
            ("PATCH", SYSTEM): lambda: self._override(body or {}, self.settings_only),
            ("PATCH", SETTINGS): lambda: self._override(body or {}, not self.settings_only),
            ("POST", f"{self._media}/Cd/Actions/VirtualMedia.InsertMedia"): lambda: self._insert(body or {}),
            ("POST", f"{self._media}/Cd/Actions/VirtualMedia.EjectMedia"): lambda: self._eject(body),
        }
        if (method, path) in routes:
            return routes[method, path]()
        if method == "DELETE" and path.startswith(SESSIONS):
            self._asked.pop(path.rpartition("/")[2], None)
            return Answer(204)
        resource = self._resources().get(path) if method == "GET" else None
        if resource is None:
            raise _Fault(404 if method == "GET" else 405, f"{method} {path}")
        allow = "GET, HEAD, PATCH" if self.patch_only and path.endswith("/Cd") else "GET, HEAD"
        return Answer(200, {"@odata.id": path, **resource}, {"Allow": allow})

    @property
    def _media(self) -> str:
        return f"{SYSTEM if self.below_systems else MANAGER}/VirtualMedia"

    def _resources(self) -> dict[str, Body]:
        drives = [{"@odata.id": f"{self._media}/Cd"}] if self.types else []
        owner = {"VirtualMedia": {"@odata.id": self._media}}
        systems = [{"@odata.id": f"/redfish/v1/Systems/{name}"} for name in self.systems]
        return {
            "/redfish/v1": {
                "Id": "RootService",
                "Name": "Root",
                "RedfishVersion": "1.6.0",
                "Systems": {"@odata.id": "/redfish/v1/Systems"},
                "Managers": {"@odata.id": "/redfish/v1/Managers"},
                "SessionService": {"@odata.id": "/redfish/v1/SessionService"},
                "Links": {"Sessions": {"@odata.id": SESSIONS}},
            },
            "/redfish/v1/SessionService": {"Id": "SessionService", "Name": "s", "Sessions": {"@odata.id": SESSIONS}},
            "/redfish/v1/Systems": {"Name": "Systems", "Members": systems},
            **{f"/redfish/v1/Systems/{name}": self._system(name, owner) for name in self.systems},
            SETTINGS: {"Id": "Settings", "Boot": self._boot()},
            MANAGER: {"Id": "1", "Name": "m", **({} if self.below_systems else owner)},
            self._media: {"Name": "Media", "Members": drives},
            f"{self._media}/Cd": self._drive(),
        }

    def _system(self, name: str, owner: Body) -> Body:
        reset = {
            "target": f"{SYSTEM}/Actions/ComputerSystem.Reset",
            "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"],
        }
        settings = {"@Redfish.Settings": {"SettingsObject": {"@odata.id": SETTINGS}}} if self.settings_only else {}
        return {
            "Id": name,
            "Name": f"system {name}",
            "UUID": self.uuid.upper(),
            "PowerState": self.power,
            "Boot": self._shown if self.shown_late else self._boot(),
            "Links": {"ManagedBy": [{"@odata.id": MANAGER}], "Chassis": []},
            "Actions": {"#ComputerSystem.Reset": reset},
            **settings,
            **(owner if self.below_systems else {}),
        }

    def __post_init__(self) -> None:
        self._shown = self._boot()

    def _boot(self) -> Body:
        return {
            "BootSourceOverrideEnabled": self.enabled,
            "BootSourceOverrideTarget": self.target,
            "BootSourceOverrideTarget@Redfish.AllowableValues": list(self.targets),
        }

    def _drive(self) -> Body:
        target = f"{self._media}/Cd/Actions/VirtualMedia."
        actions = {f"#VirtualMedia.{name}": {"target": target + name} for name in ("InsertMedia", "EjectMedia")}
        return {
            "Id": "Cd",
            "Name": "Virtual CD",
            "MediaTypes": list(self.types),
            "Image": None,
            **(self.shows(self.image) if self.image else {}),
            "Inserted": self.image is not None or (self.stuck_inserted and self._emptied),
            **({} if self.patch_only else {"Actions": actions}),
        }

    # -- what it does

    def _login(self, body: Body) -> Answer:
        if (body.get("UserName"), body.get("Password")) != (USER, PASSWORD):
            raise _Fault(401, "wrong name or password")
        token = f"t{len(self._asked) + 1}"
        self._asked[token] = 0
        return Answer(201, {"Id": token, "Name": "s"}, {"X-Auth-Token": token, "Location": f"{SESSIONS}/{token}"})

    def _reset(self, kind: str) -> Answer:
        self.resets.append(kind)
        if kind == "On" and self.power == "Off":
            self.power = "On"
            from_cd = self.target in {"Cd", "UsbCd"} and self.enabled != "Disabled" and self.image is not None
            if self.enabled == "Once" and not self.once_ignored:
                self.target, self.enabled = "None", "Disabled"
            self._shown = self._boot()
            self.booted(from_cd)
        elif kind == "ForceOff":
            self.power = "Off"
        return Answer(204)

    def _override(self, body: Body, refused: bool) -> Answer:
        if refused:
            raise _Fault(405, "PATCH is not supported here")
        boot = body["Boot"]
        if boot.get("BootSourceOverrideTarget", "None") not in self.targets:
            raise _Fault(400, "no such target")
        if self.once_only and boot.get("BootSourceOverrideEnabled") == "Continuous":
            raise _Fault(400, "only for one boot")
        self.target = boot.get("BootSourceOverrideTarget", self.target)
        self.enabled = boot.get("BootSourceOverrideEnabled", self.enabled)
        return Answer(200)

    def _insert(self, body: Body) -> Answer:
        if self.no_query and "?" in body["Image"]:
            raise _Fault(400, "the address of an image has no query")
        if self.wants_protocol and "TransferProtocolType" not in body:
            code = "Base.1.8.ActionParameterMissing"
            raise _Fault(400, "TransferProtocolType is missing", code, "TransferProtocolType")
        if self.image is not None or (self.stuck_inserted and self._emptied):
            self._emptied = False  # a second eject sets it right
            raise _Fault(400, "there is a medium already")
        if not self.insert_ignored:
            self.image = body["Image"]
        return Answer(204)

    def _eject(self, body: Body | None) -> Answer:
        if self.eject_wants_body and body is None:
            raise _Fault(415, "JSON is wanted")
        if self.eject_fails:
            raise _Fault(self.eject_fails, "it does not want to")
        self._emptied = self.image is not None
        self.image = None
        return Answer(204)
