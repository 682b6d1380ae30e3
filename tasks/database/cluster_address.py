"""`wsrep_cluster_address`: as an option file has it, and the nodes that it names."""

from __future__ import annotations

import ipaddress
import re

from blocks.remote.errors import HostError

BOOTSTRAP_ADDRESS = "gcomm://"
_PORT = re.compile(r":\d+$")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9.])?")


def parse_cluster_address(host: str, text: str) -> str:
    """Find `wsrep_cluster_address` in an option file, as MariaDB reads it: the last one counts, `#` begins a comment.

    Raises:
        HostError: It is missing, or is no list of nodes.
    """
    address, in_section = "", False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            in_section = True
        name, _, value = line.partition("=")
        if in_section and name.strip().replace("-", "_").removeprefix("loose_") == "wsrep_cluster_address":
            address = _unquoted(_without_comment(value).strip())
    if not address.removeprefix(BOOTSTRAP_ADDRESS).strip():
        raise HostError(
            host, "Galera's option file names no cluster address", "see database.galera_options in the site file"
        )
    if not address.startswith(BOOTSTRAP_ADDRESS) or not all(_is_name_or_ip(node) for node in cluster_nodes(address)):
        raise HostError(
            host,
            f"Galera's option file has {address!r} for wsrep_cluster_address, which is no list of nodes",
            "it must be gcomm:// and the nodes' names or addresses, separated by commas; correct it in the configuration "
            "of the deployment",
        )
    return address


def _without_comment(value: str) -> str:
    """Cut what MariaDB takes for a comment: `#` and what follows it, unless it stands in quotes."""
    quote = ""
    for position, letter in enumerate(value):
        if letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        elif letter == "#" and not quote:
            return value[:position]
    return value


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1].strip() if quoted else value


def cluster_nodes(address: str) -> tuple[str, ...]:
    """The nodes of a cluster address, without ports and without the options after `?`: names, or IP addresses."""
    listed = address.removeprefix(BOOTSTRAP_ADDRESS).partition("?")[0].split(",")
    return tuple(_without_port(node.strip()) for node in listed if node.strip())


def _without_port(node: str) -> str:
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return _PORT.sub("", node) if node.count(":") == 1 else node


def _is_name_or_ip(node: str) -> bool:
    try:
        ipaddress.ip_address(node)
    except ValueError:
        return _NAME.fullmatch(node) is not None
    return True
