"""Pinned host keys, read from a known_hosts file as OpenSSH reads it (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

paramiko's own reader ends in an error at lines that OpenSSH passes over, fills a key that was cut off with zeros, knows
no `@revoked` and no patterns, and keeps one key of a kind for each host. So whoever asks which keys a host may show asks
here: the check of a site file, and the connection.

Where this differs from OpenSSH, it accepts less: no host certificate, and no key that is pinned for another port.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

# What a host's key may be, and the signatures by which a host proves that it holds it.
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
_CLASSES: dict[str, Callable[..., paramiko.PKey]] = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}
# OpenSSH's RequiredRSASize.
_RSA_BITS = 1024
_BLANK = " \t"


class UnusableLine(ValueError):
    """A line that pins no key; the message says why."""


@dataclass(frozen=True)
class HostKeys:
    """What a known_hosts file says of one host.

    Attributes:
        keys: Those that it may show, in the file's order; a revoked one is not among them.
        revoked: Those that are marked `@revoked`: the number of the line, by the key's blob.
        unusable: The lines that name the host and pin no key that can be used, each as `line 7: why`.
    """

    keys: tuple[paramiko.PKey, ...]
    revoked: dict[bytes, int]
    unusable: tuple[str, ...]

    def algorithms_first(self, algorithms: Sequence[str]) -> tuple[str, ...]:
        """Return host key algorithms with those of the pinned keys first, so that the host shows one of these."""
        pinned = {algorithm for key in self.keys for algorithm in _ALGORITHMS[key.get_name()]}
        return tuple(sorted(algorithms, key=lambda algorithm: algorithm not in pinned))


def read_host_keys(file: Path, address: str, port: int = 22) -> HostKeys:
    """Read what a known_hosts file says of one host.

    Args:
        file: In OpenSSH's format: markers, patterns, hashed names, several blanks. Lines that can't be read are passed
            over, as OpenSSH does.
        address: The host's, as it is connected to.
        port: Of its sshd.

    Raises:
        OSError: The file can't be read.
    """
    keys: dict[bytes, tuple[int, paramiko.PKey]] = {}
    revoked: dict[bytes, int] = {}
    unusable = []
    for number, marker, fields in _lines_about(file, address.lower() if port == 22 else f"[{address.lower()}]:{port}"):
        try:
            if marker == "@revoked":
                revoked.setdefault(_blob(fields), number)
            else:
                key = _key(marker, fields)
                keys.setdefault(key.asbytes(), (number, key))
        except UnusableLine as error:
            unusable.append(f"line {number}: {error}")
    unusable += [f"line {keys.pop(blob)[0]}: line {revoked[blob]} revokes its key" for blob in revoked if blob in keys]
    return HostKeys(tuple(key for _, key in keys.values()), revoked, tuple(unusable))


def _lines_about(file: Path, name: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield number, marker and the fields behind the names of every line that names a host."""
    # Bytes above ASCII may stand in comments, in whatever encoding. A line ends with a newline and with nothing else.
    for number, line in enumerate(file.read_bytes().decode("latin-1").split("\n"), start=1):
        words = [word for word in re.split(f"[{_BLANK}]+", line.rstrip("\r").strip(_BLANK)) if word]
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if words and _names(words[0], name):
            yield number, marker, words[1:]


def _names(patterns: str, name: str) -> bool:
    """Tell whether the first field of a line names a host."""
    if patterns.startswith("|"):
        return _is_hash_of(patterns, name)
    listed = [pattern.lower() for pattern in patterns.split(",")]
    if any(_matches(name, pattern[1:]) for pattern in listed if pattern.startswith("!")):
        return False
    return any(_matches(name, pattern) for pattern in listed)


def _matches(name: str, pattern: str) -> bool:
    """Match `*` and `?`; brackets, which enclose an address before its port, mean themselves."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _is_hash_of(hashed: str, name: str) -> bool:
    """Tell whether `|1|SALT|HASH` is a host's name as `ssh-keygen -H` writes it."""
    match hashed.split("|"):
        case ["", "1", salt, _]:
            try:
                key = _decoded(salt)
            except UnusableLine:
                return False
            mac = hmac.new(key, name.encode("latin-1", "replace"), hashlib.sha1).digest()
            return hashed == f"|1|{_encoded(key)}|{_encoded(mac)}"
    return False


def _key(marker: str, fields: Sequence[str]) -> paramiko.PKey:
    """Return the key that a line pins.

    Args:
        marker: What stands before the names, or nothing.
        fields: What stands behind them.
    """
    if marker == "@cert-authority":
        raise UnusableLine("@cert-authority: host certificates are not supported, pin the host's own key")
    if marker:
        raise UnusableLine(f"unknown marker {marker[:32]}")
    blob = _blob(fields)
    kind = fields[0]
    if kind not in _ALGORITHMS:
        raise UnusableLine(f"keys of type {kind[:40]} are not supported, pin another of the host's keys")
    try:
        key = _CLASSES.get(kind, paramiko.ECDSAKey)(data=blob)
    except (paramiko.SSHException, ValueError, TypeError, IndexError) as error:
        raise UnusableLine("the key is broken") from error
    # paramiko fills what is missing with zeros, and takes the key out of a certificate.
    if key.asbytes() != blob or key.get_name() != kind:
        raise UnusableLine("the key is broken, or not of the type that is written before it")
    if kind == "ssh-rsa" and key.get_bits() < _RSA_BITS:
        raise UnusableLine(f"an RSA key of less than {_RSA_BITS} bits")
    return key


def _blob(fields: Sequence[str]) -> bytes:
    if fields and re.fullmatch(r"[0-9]{1,7}", fields[0]):
        raise UnusableLine("a key of SSH's first version, which no host shows any more")
    if len(fields) < 2 or fields[0].startswith("#") or fields[1].startswith("#"):
        raise UnusableLine("it ends before the key")
    return _decoded(fields[1])


def _decoded(text: str) -> bytes:
    text = re.sub(r"[\r\v\f]", "", text)  # OpenSSH passes over them, and so must a key that is revoked
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableLine("the key is cut off or broken") from error
    if _encoded(decoded) != text:  # bits behind the end, which OpenSSH refuses
        raise UnusableLine("the key is cut off or broken")
    return decoded


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class HostKeyRefused(paramiko.SSHException):
    """A host showed a key that it may not show. Nothing was sent but the key exchange.

    Attributes:
        what: What was seen, in one sentence that names the address.
        hint: What the operator does next.
    """

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class PinnedKeysPolicy(paramiko.MissingHostKeyPolicy):
    """Lets a host show the keys that a known_hosts file pins for it, and no other.

    paramiko asks a policy about every key as long as it knows no host keys itself: it must be given none.

    Args:
        file: In OpenSSH's format; read when the connection is opened.
        address: Of the host.
        port: Of its sshd.
    """

    def __init__(self, file: Path, address: str, port: int) -> None:
        self._file = file
        self._address = address
        self._port = port

    def transport(self, sock: object, **options: object) -> paramiko.Transport:
        """Make paramiko's transport (its `transport_factory`), which asks the host for a key that is pinned."""
        transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
        options_of_it = transport.get_security_options()
        options_of_it.key_types = self._host_keys().algorithms_first(options_of_it.key_types)
        return transport

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Return if the key is pinned.

        Raises:
            HostKeyRefused: if it is not, or is revoked.
        """
        pinned = self._host_keys()
        blob = key.asbytes()
        if blob in pinned.revoked:
            raise HostKeyRefused(
                f"the host key of {self._address} is marked @revoked in {self._file} (line {pinned.revoked[blob]})",
                "somebody else may hold that key: give the host a new one, verify it on the host's console and pin it",
            )
        if any(known.asbytes() == blob for known in pinned.keys):
            return
        if pinned.keys:
            raise HostKeyRefused(
                f"the host key of {self._address} is not the pinned one ({self._file})",
                "if the host was reinstalled, verify its new key out of band and replace the line; else somebody is in "
                "the middle",
            )
        why = f" ({'; '.join(pinned.unusable)})" if pinned.unusable else ""
        raise HostKeyRefused(
            f"{self._address} has no host key in {self._file}{why}", "add the host's key there, verified out of band"
        )

    def _host_keys(self) -> HostKeys:
        try:
            return read_host_keys(self._file, self._address, self._port)
        except OSError as error:
            raise HostKeyRefused(
                f"the host key of {self._address} can't be verified: {self._file} can't be read ({error.strerror})",
                "put the file of host keys where the site says that it is (ssh.known_hosts)",
            ) from error
