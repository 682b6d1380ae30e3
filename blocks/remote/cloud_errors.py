"""What can go wrong with a cloud's API, worded for an operator at 3 a.m.

`explain` turns what keystoneauth and openstacksdk raise into these; nothing above it needs to know their errors.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

import requests
from keystoneauth1 import exceptions as keystone
from openstack import exceptions as sdk

from blocks.remote.errors import HostError
from blocks.remote.secrets import mask

_QUOTA = re.compile(r"quota|maximum stacks|LimitExceeded|limit exceeded", re.IGNORECASE)
# Keystone's words where an application credential is to make a trust, as Heat does for every stack.
_RESTRICTED = "Using method 'application_credential' is not allowed"
UNRESTRICTED = (
    "make one with `openstack application credential create --unrestricted NAME`, since Heat makes a trust with it for every "
    "stack, or log in with a password"
)
# Where the services put their sentence: Heat and Keystone, WSME (Aodh), Pecan (Gnocchi), Octavia.
_MESSAGE_KEYS = ("message", "faultstring", "description", "cause", "detail", "explanation", "title")


class CloudError(HostError):
    """Something about one cloud; `host` is the cloud's name.

    Args:
        status: HTTP status of the answer, if there was one.
        detail: The service's own words.
    """

    def __init__(self, cloud: str, message: str, hint: str = "", status: int | None = None, detail: str = "") -> None:
        super().__init__(cloud, message, hint)
        self.status, self.detail = status, detail


class CloudUnknown(CloudError):
    """clouds.yaml does not have this cloud or this region."""


class CloudMisconfigured(CloudError):
    """clouds.yaml has the cloud, but what it says can't be used."""


class CloudUnreachable(CloudError):
    """A service, or a balancer in its place, gave no answer in time. Whether a change took effect is unknown."""


class CertificateRejected(CloudError):
    """A service's certificate is not one that the CA of clouds.yaml vouches for. Never retried."""


class CloudLoginRefused(CloudError):
    """Keystone refused the credentials of clouds.yaml."""


class Forbidden(CloudError):
    """The credentials are good, and their roles do not allow this."""


class QuotaExceeded(CloudError):
    """A quota of the project leaves no room for this."""


class NotFound(CloudError):
    """The cloud has no such thing."""


class Conflict(CloudError):
    """Something else is under way with the same thing, or its name is taken."""


class RequestRejected(CloudError):
    """A service understood the request and will not have it."""


class ServiceMissing(CloudError):
    """The cloud's catalog does not offer this service in this region."""


class ServiceFailed(CloudError):
    """A service failed by itself (5xx), or answered what can't be read."""


_BY_STATUS: Mapping[int, tuple[type[CloudError], str]] = {
    401: (CloudLoginRefused, "check user, project and password, or the application credential, in clouds.yaml"),
    403: (Forbidden, "give this user the role that the service's policy asks for, or use another cloud entry"),
    404: (NotFound, ""),
    409: (Conflict, "wait until what is under way has ended, then start the runbook again"),
}


def explain(cloud: str, action: str, error: Exception) -> CloudError | None:
    """Turn an error of keystoneauth, openstacksdk or requests into ours.

    Args:
        cloud: The cloud's name.
        action: What was being done, as a phrase (`list the servers`).
        error: What was raised.

    Returns:
        Our error, or None where it is not one of theirs.
    """
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        return _explain_response(cloud, action, response)
    detail = mask(_first_line(error))
    match error:
        case keystone.SSLError():
            hint = "set `cacert` of this cloud in clouds.yaml to the CA that signed it"
            return CertificateRejected(cloud, f"could not {action}: {detail}", hint)
        case keystone.EndpointNotFound() | sdk.ServiceDisabledException():
            hint = "check `region_name` and `interface` in clouds.yaml, and `openstack catalog list`"
            return ServiceMissing(cloud, f"could not {action}: {detail}", hint)
        case keystone.ConnectionError() | keystone.DiscoveryFailure() | sdk.EndpointNotFound():
            hint = "see whether the service is up and this machine may reach it, then start the runbook again"
            return CloudUnreachable(cloud, f"could not {action}: {detail}", hint)
        case keystone.AuthorizationFailure() | keystone.MissingAuthMethods():
            return CloudLoginRefused(cloud, f"could not {action}: {detail}", _BY_STATUS[401][1])
        case sdk.ConfigException() | keystone.AuthPluginException():
            return CloudMisconfigured(
                cloud, f"could not {action}: {detail}", "correct this cloud's entry in clouds.yaml"
            )
        case OSError() if "TLS CA certificate bundle" in str(error):  # of requests, which keystoneauth lets through
            hint = "correct `cacert` of this cloud in clouds.yaml: that file is not there, or can't be read"
            return CloudMisconfigured(cloud, f"could not {action}: {detail}", hint)
        case requests.exceptions.JSONDecodeError() | sdk.InvalidResponse():
            return ServiceFailed(
                cloud, f"could not {action}: the answer is no JSON ({detail})", "see the service's log"
            )
        case keystone.ClientException() | sdk.SDKException():
            return CloudError(cloud, f"could not {action}: {type(error).__name__}: {detail}")
    return None


def _explain_response(cloud: str, action: str, response: requests.Response) -> CloudError:
    status, detail = response.status_code, mask(error_message(response))
    request = f"{response.request.method} {(response.url or '').split('?')[0]}"
    message = f"could not {action}: {detail or response.reason} ({status} to {mask(request)})"
    if status in {400, 403, 409, 413} and _QUOTA.search(f"{detail} {response.text[:2000]}"):
        hint = "raise the project's quota, or remove what it no longer needs"
        return QuotaExceeded(cloud, message, hint, status, detail)
    kind, hint = _BY_STATUS.get(status, (RequestRejected, ""))
    if status == 403 and _RESTRICTED in detail:
        hint = UNRESTRICTED
    if status >= 500:
        # What a balancer says whose service is down: as good as no answer.
        kind = CloudUnreachable if status in {502, 503, 504} else ServiceFailed
        hint = "see the service's log"
    return kind(cloud, message, hint, status, detail)


def error_message(response: requests.Response) -> str:
    """Return what a service says of an error, in one line and without its traceback; empty where it says nothing."""
    try:
        body = response.json()
    except ValueError:
        body_only = re.sub(r"(?s)<(head|title|style)\b.*?</\1>|<[^>]+>", " ", response.text)
        return " ".join(html.unescape(body_only).split())[:500]
    return next((" ".join(found.split())[:2000] for found in _messages_in(body) if found.strip()), "")


def _messages_in(body: object) -> Iterator[str]:
    """The sentences in an error's body, the most telling first."""
    if isinstance(body, dict):
        inner = [
            body[key] for key in (*_MESSAGE_KEYS, *(key for key in body if key not in _MESSAGE_KEYS)) if key in body
        ]
        # An object within says more than the title around it: Heat's {"error": {"message": …}, "title": "Bad Request"}.
        for value in sorted(inner, key=lambda value: not isinstance(value, dict)):
            yield from _messages_in(value) if isinstance(value, dict | list) else ()
        yield from (body[key] for key in _MESSAGE_KEYS if isinstance(body.get(key), str))
    elif isinstance(body, list):
        for value in body:
            yield from _messages_in(value)


def _first_line(error: Exception) -> str:
    """The cause in a line: of a connection that failed, where to and why, without the names of Python's objects."""
    text = str(error).strip()
    address, cause = re.search(r"https?://[^\s?:]+(:\d+)?", text), re.search(r"\[Errno -?\d+\] ([^\"')\]]+)", text)
    if address and cause:
        return f"{address[0]}: {cause[1]}"
    return text.splitlines()[0] if text else type(error).__name__
