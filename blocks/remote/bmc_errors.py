"""What can go wrong between us and a node's BMC, in the words of whoever has to do something about it."""

from __future__ import annotations

import re
from http import HTTPStatus

from requests.exceptions import SSLError
from sushy import exceptions as sushy

from blocks.remote.errors import HostError
from blocks.remote.secrets import mask

_FINGERPRINT = re.compile(r'got "([0-9a-fA-F:]+)"')
_LONGEST = 300


class BmcError(HostError):
    """The BMC was reached, and does not do what it is asked for."""


class BmcUnreachable(BmcError):
    """The BMC gave no answer (no route, refused, timed out), or went on answering 503. Asking again is safe."""


class BmcCertificateRejected(BmcError):
    """The BMC's certificate is not the pinned one, or nobody has pinned it. Never tried again: somebody may be in the middle."""


class BmcLoginRejected(BmcError):
    """The BMC refuses the account or its password."""


def explain(name: str, action: str, error: sushy.SushyError) -> BmcError:
    """Return what an error of sushy's means.

    Args:
        name: The BMC's.
        action: What was being done, as a phrase (`read the power state`).
        error: What sushy raised.
    """
    said = mask(" ".join(str(error).split())[:_LONGEST])
    if isinstance(error, sushy.ConnectionError):
        return _no_connection(name, action, error, said)
    if isinstance(error, sushy.AccessError):
        hint = "see `user` and `password_file` of its section [bmc] in the site file, and whether the account may operate the node"
        return BmcLoginRejected(name, f"it refuses the account (could not {action}): {said}", hint)
    if isinstance(error, sushy.HTTPError) and error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return BmcUnreachable(name, f"it went on answering 503 (could not {action})", "see whether it is starting anew")
    hint = "see its own log; what it can't do by Redfish can be done at its console, and the runbook started again"
    return BmcError(name, f"could not {action}: {said}", hint)


def _no_connection(name: str, action: str, error: sushy.ConnectionError, said: str) -> BmcError:
    cause: BaseException | None = error.__context__
    if isinstance(cause, SSLError):
        found = _FINGERPRINT.search(str(cause))
        seen = f"its certificate has the SHA-256 {found[1]}, which is not the pinned one" if found else f"TLS: {said}"
        hint = "compare it with what the BMC's own console shows, and write that into certificate_sha256 of its section [bmc]"
        return BmcCertificateRejected(name, seen, hint)
    return BmcUnreachable(
        name, f"no answer (could not {action}): {said}", "see the network between the worker and the BMC"
    )
