"""A cloud as clouds.yaml says it, found as openstacksdk finds it; whatever is wrong with that file is told by its name and place.

The SDK passes over a file that it can't parse, and logs its line, which may be the password's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keystoneauth1.exceptions import AuthPluginException
from keystoneauth1.session import Session
from openstack.config import OpenStackConfig, loader
from openstack.connection import Connection
from openstack.exceptions import ConfigException

from blocks.remote.cloud_errors import CloudError, CloudMisconfigured, CloudUnknown
from blocks.remote.secrets import mask, register
from blocks.remote.yaml_text import InvalidYaml, parse_yaml

_SECRET_KEYS = re.compile(r"pass|secret|token", re.IGNORECASE)
_QUOTES = "correct the file: a password that begins with one of @ % * ! & # ` | > [ {, or holds ': ' or ' #', needs single quotes"


def open_cloud(name: str, region: str | None, session: Callable[..., Session]) -> Connection:
    """Find a cloud in clouds.yaml, and make the SDK's client of it; its secrets are masked from now on.

    Args:
        name: The cloud's name.
        region: Region, if not the one that the file says.
        session: Makes the session that the cloud is asked through.

    Raises:
        CloudUnknown: No such cloud or region; the message lists those there are, and the files.
        CloudMisconfigured: The file or the entry can't be used.
    """
    _raise_if_broken(name)
    try:
        config = OpenStackConfig(session_constructor=session, app_name="openstack-runbooks")  # type: ignore[arg-type]
        _refuse_unknown(name, config)
        found = config.get_one(cloud=name, region_name=region or "")
        auth = found.get_auth_args()
        _register_secrets(auth)
        _check_login(name, str(found.config.get("auth_type")), auth)
        return Connection(config=found)
    except CloudError:
        raise
    except ConfigException as error:
        kind = CloudUnknown if "region" in str(error).lower() else CloudMisconfigured
        raise kind(name, mask(str(error)), "correct the cloud's entry in clouds.yaml") from error
    except (AuthPluginException, LookupError, AttributeError, TypeError, ValueError, OSError) as error:
        said = mask(f"{type(error).__name__}: {error}")
        hint = "compare it with openstacksdk's manual"
        raise CloudMisconfigured(name, f"its entry in clouds.yaml can't be used ({said})", hint) from error


def _raise_if_broken(name: str) -> None:
    """Raise where one of the files that the SDK would read can't be parsed, or be read."""
    found = _first_parsed(name, "OS_CLIENT_CONFIG_FILE", loader.CONFIG_FILES)
    _first_parsed(name, "OS_CLIENT_SECURE_FILE", loader.SECURE_FILES)
    _first_parsed(name, "", loader.VENDOR_FILES)
    if found is not None:
        _check_shape(name, *found)


def _first_parsed(name: str, variable: str, places: Iterable[str]) -> tuple[Path, Any] | None:
    """The first that is there counts; one that this account may not read the SDK passes over rightly, if there is another."""
    named = [os.environ[variable]] if os.environ.get(variable) else []
    locked: Path | None = None
    for path in map(Path, [*named, *places]):
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else None
        except PermissionError:
            locked = locked or path
            continue
        except UnicodeDecodeError:
            raise CloudMisconfigured(name, f"{path} is no text in UTF-8", "save it in UTF-8") from None
        except OSError as error:
            raise CloudMisconfigured(name, f"{path} can't be read: {error.strerror}", "correct its path") from None
        if text is not None:
            return path, _parse(name, path, text)
    if locked is not None:
        hint = "let the worker's account read it (it holds a password: nobody else)"
        raise CloudMisconfigured(name, f"{locked} can't be read: permission denied", hint)
    return None


def _check_shape(name: str, path: Path, parsed: Any) -> None:
    """The file, its clouds, the cloud and its login are mappings: the SDK takes that for granted."""
    inner, place = parsed, str(path)
    for section in ("clouds", name, "auth"):
        if inner is None and place == str(path):  # an empty file has no cloud, and is told as that
            return
        if not isinstance(inner, Mapping):
            kind = "empty" if inner is None else f"a {type(inner).__name__} of YAML"
            hint = "write it as `name: value`, one a line, indented"
            raise CloudMisconfigured(name, f"{place} is {kind}, and must be a mapping", hint)
        if wrong := [key for key in inner if not isinstance(key, str)]:
            raise CloudMisconfigured(name, f"{place} has the name {wrong[0]!r}, which is no text", "put it in quotes")
        if section not in inner:
            return
        inner, place = inner[section], f"{place}: {section}"
    if not isinstance(inner, Mapping):
        raise CloudMisconfigured(
            name, f"{place} is no mapping", "write auth_url, username and so on below it, indented"
        )


def _parse(name: str, path: Path, text: str) -> Any:
    try:
        return json.loads(text) if path.suffix == ".json" else parse_yaml(text)
    except InvalidYaml as error:
        raise CloudMisconfigured(name, f"{path} is no YAML: {error}", _QUOTES) from None
    except json.JSONDecodeError as error:
        raise CloudMisconfigured(name, f"{path} is no JSON: {error}", "correct the file") from None


def _refuse_unknown(name: str, config: OpenStackConfig) -> None:
    names = sorted(set(config.get_cloud_names()) - {"defaults", "envvars"})
    if name in config.get_cloud_names() and name != "defaults":
        return
    if config.config_filename is None:
        searched = ", ".join(path for path in config._config_files if path.endswith("clouds.yaml"))
        raise CloudUnknown(
            name,
            f"there is no clouds.yaml; looked for {searched}",
            "write one there, or set OS_CLIENT_CONFIG_FILE for the worker",
        )
    raise CloudUnknown(
        name,
        f"{config.config_filename} has no cloud {name!r}; it has {', '.join(names) or 'none'}",
        "correct the cloud's name in the site file, or add it to clouds.yaml",
    )


def _check_login(name: str, auth_type: str, auth: Mapping[str, Any]) -> None:
    """What logs in is there, and is text: the libraries say so in a traceback, or Keystone in words about its schema."""
    for key, value in auth.items():
        textual = value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))
        if not textual and key != "auth_methods":  # which is a list
            kind = "a date" if hasattr(value, "isoformat") else f"a {type(value).__name__} of YAML"
            raise CloudMisconfigured(name, f"{key} in its entry in clouds.yaml is {kind}, not a text", _QUOTES)
    _check_address(name, auth.get("auth_url"))
    if auth_type in {"password", "v3password", "v2password"} and auth.get("password") in {None, ""}:
        hint = (
            "add `password` below `auth` (a file that Horizon has made holds none), or use an application credential; one that "
            "begins with & or # is lost without quotes"
        )
        raise CloudMisconfigured(name, "its entry in clouds.yaml has no password", hint)


def _check_address(name: str, auth_url: Any) -> None:
    """Keystone's address is one, where there is any: a login of another kind may need none."""
    try:
        parts = urlsplit(str(auth_url or "http://none"))
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        hint = "correct it: it looks like https://overcloud.example.com:13000/v3"
        raise CloudMisconfigured(name, "auth_url in its entry in clouds.yaml is no address", hint)


def _register_secrets(auth: Mapping[str, Any]) -> None:
    for key, value in auth.items():
        if isinstance(value, str | int | float) and _SECRET_KEYS.search(key):
            register(str(value))
