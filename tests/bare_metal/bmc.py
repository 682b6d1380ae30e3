"""The machine's BMC: sushy-tools' emulator, which is no code of this project's, over HTTPS with a certificate of its own."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from blocks.remote.bmc import Bmc, BmcAccount
from tests.bare_metal.hypervisor import CONTAINED, Hypervisor
from tests.lab.base import digest, unfinished
from tests.lab.shell import run, wait_until
from tests.redfish.server import make_certificate

_LOCK = Path(__file__).resolve().parent / "sushy-tools.lock"
# libvirt's bindings are Debian's, for Debian's Python.
_PYTHON = "/usr/bin/python3"
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
_USER, _PASSWORD = "operator", "emulated-bmc"
_SETTINGS = """
SUSHY_EMULATOR_LISTEN_IP = "127.0.0.1"
SUSHY_EMULATOR_LISTEN_PORT = {port}
SUSHY_EMULATOR_SSL_CERT = {certificate!r}
SUSHY_EMULATOR_SSL_KEY = {key!r}
SUSHY_EMULATOR_AUTH_FILE = {accounts!r}
SUSHY_EMULATOR_OS_CLOUD = None
SUSHY_EMULATOR_LIBVIRT_URI = {uri!r}
SUSHY_EMULATOR_STATE_DIR = {state!r}
"""


def install(cache: Path) -> Path:
    """Return where sushy-tools is installed, after installing it where it is not in the cache."""
    version = run([_PYTHON, "-c", _VERSION]).stdout.strip()
    made = cache / f"sushy-tools-{digest([_LOCK, version])}"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        building = unfinished(made)
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", version]
        run([sys.executable, "-m", "pip", "install", *options, "--target", building, "-r", _LOCK])
        building.rename(made)
    return made


@dataclass(frozen=True)
class Emulator:
    """A BMC that listens on loopback.

    Attributes:
        port: Its port.
        fingerprint: Of its certificate.
        password_file: Where the account's password is.
    """

    port: int
    fingerprint: str
    password_file: Path

    @classmethod
    @contextmanager
    def started(cls, hypervisor: Hypervisor, folder: Path, cache: Path) -> Iterator[Emulator]:
        """Start it; it ends when the block does.

        Args:
            hypervisor: Whose machine it operates.
            folder: For its files.
            cache: Where sushy-tools is installed.
        """
        folder.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        emulator = cls(port, make_certificate(folder), folder / "password")
        emulator.password_file.write_text(f"{_PASSWORD}\n")
        emulator.password_file.chmod(0o600)
        accounts = folder / "accounts"
        accounts.write_text(f"{_USER}:{bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
        (folder / "state").mkdir()
        settings = folder / "settings.py"
        settings.write_text(
            _SETTINGS.format(
                port=port,
                certificate=str(folder / "certificate.pem"),
                key=str(folder / "key.pem"),
                accounts=str(accounts),
                uri=hypervisor.uri,
                state=str(folder / "state"),
            )
        )
        words: list[str | Path] = [*CONTAINED, _PYTHON, "-m", "sushy_tools.emulator.main", "--config", settings]
        with (folder / "emulator.log").open("w") as log:
            environment = {**os.environ, "PYTHONPATH": str(install(cache))}
            process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("the emulated BMC does not answer", emulator._answers, timeout=60)
            yield emulator
        finally:
            process.terminate()
            process.wait(30)

    def _answers(self) -> str:
        try:
            ssl.get_server_certificate(("127.0.0.1", self.port), timeout=5)
        except OSError as error:
            return str(error)
        return ""

    def client(self) -> Bmc:
        """A client, as a site file makes it."""
        url = f"https://127.0.0.1:{self.port}"
        return Bmc("metal-0's BMC", BmcAccount(url, _USER, self.password_file, self.fingerprint))

    def section(self, host: str) -> str:
        """The section of a site file for it."""
        return (
            f'[bmc.{host}]\naddress = "127.0.0.1"\nport = {self.port}\nuser = "{_USER}"\n'
            f'password_file = "{self.password_file}"\ncertificate_sha256 = "{self.fingerprint}"\n'
        )
