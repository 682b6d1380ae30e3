"""Things of a cloud, looked up by name or id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openstack.exceptions import NotFoundException


def find_named(find: Callable[..., Any], name: str) -> Any | None:
    """Look something up with one of the SDK's `find_…` methods.

    The SDK is going to raise where nothing has the name, and warns whoever still asks it for None.

    Args:
        find: The method, such as `connection.compute.find_flavor`.
        name: Name or id.

    Returns:
        The SDK's resource, or None where there is none of that name.

    Raises:
        NotFoundException: The service itself answered 404: it has no such list.
    """
    try:
        return find(name, ignore_missing=False)
    except NotFoundException as error:
        if error.response is not None:
            raise
        return None
