"""A known_hosts file means what OpenSSH takes it to mean, and a host may show no key that OpenSSH would refuse."""

from __future__ import annotations

import base64
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from blocks.remote.known_hosts import HostKeyRefused, PinnedKeysPolicy, read_host_keys

ADDRESS = "192.0.2.7"
PORT = 2222


def ed25519() -> paramiko.Ed25519Key:
    return paramiko.Ed25519Key(data=b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + os.urandom(32))


# Made anew each time: a test has its number for a name, by which pytest-xdist knows it in each of its processes.
KEY, OTHER, CURVE = ed25519(), ed25519(), paramiko.ECDSAKey.generate(bits=256)
RSA, SHORT_RSA = (paramiko.RSAKey(key=rsa.generate_private_key(65537, bits)) for bits in (2048, 1024))
BLOB = KEY.get_base64()
CERTIFICATE = base64.b64encode(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com" + bytes(200)).decode()


def line(names: str, key: paramiko.PKey = KEY, between: str = " ") -> str:
    return between.join((names, key.get_name(), key.get_base64()))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_lines(*lines: str | bytes) -> Path:
        file = tmp_path / "known_hosts"
        file.write_bytes(b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in lines))
        return file

    return write_lines


@pytest.mark.parametrize(
    "text",
    [
        line(ADDRESS),
        line(ADDRESS, between="  "),
        line(ADDRESS, between="\t \t"),
        f"  {line(ADDRESS)}\t root@controller  # written by hand",
        line(ADDRESS) + "\r",
        line(ADDRESS).replace(BLOB, f"{BLOB[:30]}\r{BLOB[30:]}"),
        line(ADDRESS).encode() + " Schlüssel".encode("latin-1"),
        line(f"controller-0,{ADDRESS}"),
        line("192.0.2.*"),
        line("192.0.2.?,!192.0.2.8"),
        line("*"),
        line(paramiko.HostKeys.hash_host(ADDRESS)),
    ],
    ids=count(1),
)
def test_a_line_that_openssh_reads_is_read(write: Callable[..., Path], text: str | bytes) -> None:
    found = read_host_keys(write(text), ADDRESS)
    assert [key.get_base64() for key in found.keys] == [BLOB]
    assert (found.revoked, found.unusable) == ({}, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"# {line(ADDRESS)}",
        f"#{line(ADDRESS)}",
        line("192.0.2.70"),
        line("192.0.2"),
        line("192.0.2.[7]"),
        line("192.0.2.*,!192.0.2.7"),
        line("!192.0.2.8"),
        line(f"[{ADDRESS}]:2222"),
        line(paramiko.HostKeys.hash_host("192.0.2.8")),
        line(f"x,{paramiko.HostKeys.hash_host(ADDRESS)}"),
        line("|1|cut"),
        line("|1|not base64|not base64"),
        line("|2|" + paramiko.HostKeys.hash_host(ADDRESS)[3:]),
        # A line ends with a newline alone: what looks like a second line to Python is this one's comment.
        line("192.0.2.9") + f"\x0b{line(ADDRESS)}",
        "@revoked",
    ],
    ids=count(1),
)
def test_a_line_about_another_host_is_passed_over_however_broken(write: Callable[..., Path], text: str) -> None:
    found = read_host_keys(write(text, text + " and more"), ADDRESS)
    assert found == type(found)((), {}, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ADDRESS, "it ends before the key"),
        (f"{ADDRESS} # to be done", "it ends before the key"),
        (f"{ADDRESS} ssh-ed25519", "it ends before the key"),
        (f"{ADDRESS} ssh-ed25519 # {BLOB}", "it ends before the key"),
        (f"{ADDRESS} 1024 37 159123", "a key of SSH's first version"),
        (f"{ADDRESS} ssh-ed25519 {BLOB[:-1]}", "the key is cut off or broken"),
        (f"{ADDRESS} ssh-ed25519 {BLOB[:-4]}", "the key is broken"),
        (f"{ADDRESS} ssh-ed25519 {BLOB[:40]}", "the key is broken"),
        (f"{ADDRESS} ssh-ed25519 {BLOB[:8]}", "the key is broken"),
        (f"{ADDRESS} ssh-ed25519 {BLOB}AAAA", "the key is broken"),
        (f"{ADDRESS} ssh-ed25519 not/base64!", "the key is cut off or broken"),
        (f"{ADDRESS} ssh-ed25519 schlüssel", "the key is cut off or broken"),
        (f"{ADDRESS} ssh-ed25519 AAAB", "the key is broken"),
        (f"{ADDRESS} ssh-rsa {BLOB}", "the key is broken"),
        (f"{ADDRESS} ecdsa-sha2-nistp384 {CURVE.get_base64()}", "not of the type that is written before it"),
        (f"{ADDRESS} ecdsa-sha2-nistp256 {BLOB}", "the key is broken"),
        (f"{ADDRESS} ssh-rsa {RSA.get_base64()[:200]}", "the key is broken"),
        (f"{ADDRESS} ssh-dss {BLOB}", "keys of type ssh-dss are not supported"),
        (f"{ADDRESS} sk-ssh-ed25519@openssh.com {BLOB}", "keys of type sk-ssh-ed25519@openssh.com are not supported"),
        (f"{ADDRESS} ssh-ed25519-cert-v01@openssh.com {CERTIFICATE}", "are not supported"),
        (f"{ADDRESS} ssh-ed25519 {CERTIFICATE}", "the key is broken"),
        (f"@cert-authority {line('192.0.2.*')}", "host certificates are not supported, pin the host's own key"),
        (f"@trusted {line(ADDRESS)}", "unknown marker @trusted"),
        (f"@Revoked {line(ADDRESS)}", "unknown marker @Revoked"),
    ],
    ids=count(1),
)
def test_a_line_that_pins_nothing_is_named(write: Callable[..., Path], text: str, why: str) -> None:
    found = read_host_keys(write("# a comment", text), ADDRESS)
    assert found.keys == ()
    assert len(found.unusable) == 1
    assert found.unusable[0].startswith("line 2: ")
    assert why in found.unusable[0]


def test_a_short_rsa_key_is_taken_at_openssh_s_bound_and_not_below(write: Callable[..., Path]) -> None:
    assert len(read_host_keys(write(line(ADDRESS, SHORT_RSA)), ADDRESS).keys) == 1
    numbers = paramiko.Message()
    numbers.add_string("ssh-rsa")
    numbers.add_mpint(65537)
    numbers.add_mpint((1 << 1022) + 3)
    text = base64.b64encode(numbers.asbytes()).decode()
    found = read_host_keys(write(f"{ADDRESS} ssh-rsa {text}"), ADDRESS)
    assert (found.keys, len(found.unusable)) == ((), 1)


def test_a_broken_line_does_not_spoil_a_good_one(write: Callable[..., Path]) -> None:
    found = read_host_keys(write(f"{ADDRESS} ssh-ed25519 AAAA", line(ADDRESS), "@", f"{ADDRESS}"), ADDRESS)
    assert [key.get_base64() for key in found.keys] == [BLOB]


def test_names_are_compared_without_regard_to_case(write: Callable[..., Path]) -> None:
    file = write(line("Controller-0.Example.COM"), line(paramiko.HostKeys.hash_host("fd00::a")))
    assert len(read_host_keys(file, "controller-0.example.com").keys) == 1
    assert len(read_host_keys(file, "FD00::A").keys) == 1


def test_another_port_is_another_entry(write: Callable[..., Path]) -> None:
    file = write(line(f"[{ADDRESS}]:{PORT}"), line("[fd00::?]:*", OTHER))
    assert len(read_host_keys(file, ADDRESS, PORT).keys) == 1
    assert read_host_keys(file, ADDRESS).keys == ()
    assert len(read_host_keys(file, "fd00::1", PORT).keys) == 1


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("names", [ADDRESS, "*", paramiko.HostKeys.hash_host(ADDRESS)], ids=["plain", "all", "hashed"])
def test_a_revoked_key_is_not_among_the_pinned_ones(write: Callable[..., Path], order: int, names: str) -> None:
    lines = [line(ADDRESS), line(ADDRESS, OTHER), f"@revoked  {line(names)}"][::order]
    found = read_host_keys(write(*lines), ADDRESS)
    assert [key.get_base64() for key in found.keys] == [OTHER.get_base64()]
    assert found.unusable == (
        ("line 1: line 3 revokes its key",) if order == 1 else ("line 3: line 1 revokes its key",)
    )


def test_a_key_revoked_for_another_host_is_none_of_this_one(write: Callable[..., Path]) -> None:
    assert len(read_host_keys(write(line(ADDRESS), f"@revoked {line('192.0.2.9')}"), ADDRESS).keys) == 1


# -- which key a host may show


def refusal(file: Path, shown: paramiko.PKey) -> str:
    """Return why a key is refused; an empty text if it is not."""
    try:
        PinnedKeysPolicy(file, ADDRESS, 22).missing_host_key(paramiko.SSHClient(), ADDRESS, shown)
    except HostKeyRefused as error:
        return error.what if error.hint else "a refusal without a hint"
    return ""


def test_each_of_several_pinned_keys_may_be_shown(write: Callable[..., Path]) -> None:
    file = write(line(ADDRESS), line(ADDRESS, OTHER), line(ADDRESS, CURVE), line(ADDRESS, RSA))
    assert [refusal(file, key) for key in (KEY, OTHER, CURVE, RSA)] == [""] * 4
    assert refusal(file, ed25519()) == f"the host key of {ADDRESS} is not the pinned one ({file})"


def test_a_revoked_key_is_refused_as_such(write: Callable[..., Path]) -> None:
    file = write(line(ADDRESS), f"@revoked {line('*')}", f"@revoked {line('*', OTHER)}")
    assert refusal(file, KEY) == f"the host key of {ADDRESS} is marked @revoked in {file} (line 2)"
    assert refusal(file, OTHER) == f"the host key of {ADDRESS} is marked @revoked in {file} (line 3)"
    assert refusal(file, CURVE) == f"{ADDRESS} has no host key in {file} (line 1: line 2 revokes its key)"


def test_a_certificate_authority_is_no_pinned_key(write: Callable[..., Path]) -> None:
    file = write(f"@cert-authority {line('*')}")
    assert re.search(r"has no host key in .* \(line 1: @cert-authority: host cert", refusal(file, KEY))


def test_a_key_that_was_cut_off_lets_no_key_in(write: Callable[..., Path]) -> None:
    """Paramiko fills what is missing with zeros: a key that ends in zeros would be let in."""
    zeros = paramiko.Ed25519Key(data=KEY.asbytes()[:-9] + bytes(9))
    file = write(f"{ADDRESS} ssh-ed25519 {base64.b64encode(zeros.asbytes()[:-9]).decode()}")
    assert "(line 1: the key is broken" in refusal(file, zeros)


def test_a_file_that_is_gone_lets_nobody_in(tmp_path: Path) -> None:
    told = refusal(tmp_path / "gone", KEY)
    assert told.endswith(f"can't be verified: {tmp_path}/gone can't be read (No such file or directory)")


# -- which key a host is asked for


class _NobodyLogsIn(paramiko.ServerInterface):
    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


@contextmanager
def host_with(*keys: paramiko.PKey) -> Iterator[socket.socket]:
    """Serve SSH with these host keys; gives the client's end."""
    ours, theirs = socket.socketpair()
    server = paramiko.Transport(theirs)
    for key in keys:
        server.add_server_key(key)
    try:
        server.start_server(event=threading.Event(), server=_NobodyLogsIn())
        yield ours
    finally:
        server.close()
        ours.close()


def shown_to(file: Path, ours: socket.socket) -> str:
    """Connect as the shell does; returns the type of the key that was accepted. Nobody is let in."""
    policy = PinnedKeysPolicy(file, ADDRESS, 22)
    with closing(paramiko.SSHClient()) as client:
        client.set_missing_host_key_policy(policy)
        with pytest.raises(paramiko.AuthenticationException):
            client.connect(
                ADDRESS,
                username="nobody",
                sock=ours,
                pkey=CURVE,
                allow_agent=False,
                look_for_keys=False,
                transport_factory=policy.transport,
            )
        transport = client.get_transport()
        assert transport is not None
        return transport.get_remote_server_key().get_name()


@pytest.mark.parametrize(("pinned", "other"), [(RSA, CURVE), (CURVE, RSA)])
def test_a_host_with_several_keys_is_asked_for_the_pinned_one(
    write: Callable[..., Path], pinned: paramiko.PKey, other: paramiko.PKey
) -> None:
    file = write(line(ADDRESS, pinned))
    with host_with(pinned, other) as ours:
        assert shown_to(file, ours) == pinned.get_name()


def test_a_host_that_has_another_of_two_pinned_types_is_let_in(write: Callable[..., Path]) -> None:
    """Paramiko asks for the first pinned type and then for its own favourites, and refuses what comes."""
    file = write(line(ADDRESS), line(ADDRESS, RSA))
    with host_with(CURVE, RSA) as ours:
        assert shown_to(file, ours) == "ssh-rsa"


def test_a_host_that_shows_another_key_is_refused_before_anybody_logs_in(write: Callable[..., Path]) -> None:
    file = write(line(ADDRESS, paramiko.ECDSAKey.generate(bits=256)))
    policy = PinnedKeysPolicy(file, ADDRESS, 22)
    with host_with(CURVE) as ours, closing(paramiko.SSHClient()) as client:
        client.set_missing_host_key_policy(policy)
        with pytest.raises(HostKeyRefused, match="is not the pinned one"):
            client.connect(ADDRESS, username="nobody", sock=ours, pkey=CURVE, transport_factory=policy.transport)
