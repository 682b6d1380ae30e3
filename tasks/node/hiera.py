"""Hiera: what Puppet was told about the deployment."""

from __future__ import annotations

import ipaddress

from blocks.remote.command import Command, question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell


def ask(config: str, key: str) -> Command:
    """The documented question."""
    return question("hiera", "-c", config, key)


def parse_answer(host: str, key: str, text: str) -> str:
    """Read hiera's answer; it prints `nil` and returns 0 for a key that it does not know.

    Raises:
        HostError: The answer is empty, `nil`, or more than one line.
    """
    answer = text.strip()
    if answer in {"", "nil"} or "\n" in answer:
        shown = {"": "nothing", "nil": "nil"}.get(answer, "more than one line")
        raise HostError(
            host,
            f"hiera answers {shown} for {key}",
            "see the hierarchy in the site's hiera_config; an empty value here would unblock nothing and set an empty "
            "root password",
        )
    return answer


def lookup(shell: Shell, config: str, key: str) -> str:
    """Ask hiera for a key.

    Raises:
        HostError: It has no answer.
    """
    return parse_answer(shell.name, key, shell.run(ask(config, key)).stdout)


def parse_address(host: str, key: str, answer: str) -> str:
    """Read an IP address: hiera may give it in brackets, as an address of IPv6 in a URL, or with the prefix of its network.

    Raises:
        HostError: It is none.
    """
    text = answer.strip("[]\"' ").partition("/")[0].strip("[]\"' ")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise HostError(
            host,
            f"hiera answers {answer!r} for {key}, which is no IP address",
            "a firewall rule needs one: see the hierarchy in the site's hiera_config, and database.vip_key in the site file",
        ) from None


def lookup_address(shell: Shell, config: str, key: str) -> str:
    """Ask hiera for a key that holds an IP address.

    Raises:
        HostError: It has no answer, or another one.
    """
    return parse_address(shell.name, key, lookup(shell, config, key))
