"""What ReaR will read: its configuration files, evaluated by bash in ReaR's own order, and what must be in them.

The role writes `/etc/rear/local.conf` anew each time, and `rescue.conf`, which ReaR reads last; so what it leaves wrong stands in
blocks at the end of `local.conf`, and counts. ReaR itself is read in its versions 2.4 (RHEL 8.2) to 2.7.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell

LOCAL_CONF = "/etc/rear/local.conf"
# ReaR's own default, which the role's `BACKUP_PROG_EXCLUDE=(…)` replaces, and the directory in which ReaR builds: where TMPDIR is
# /var/tmp, as later roles have it, the half-made ISO would go into the archive.
EXCLUDED = ("/tmp/*", "/dev/shm/*", "/var/lib/rear/output/*", "/var/tmp/rear.*")  # noqa: S108 - patterns, not files
_RUN = re.compile(r"^[^/]+/\d{8}T\d{6}Z$")
# `scheme://user:password@host`; a colon with nothing behind it is how lftp is told not to ask for one.
_PASSWORD = re.compile(r"^\w+://[^/@:]*:[^/@]+@")
# An ISO that boots the rescue system, and waits there.
_WAITS = ("ISO_DEFAULT", "ISO_RECOVER_MODE", "GRUB2_DEFAULT_BOOT")
_NAMES = (
    *("OUTPUT_URL", "BACKUP_URL", "BACKUP_PROG_EXCLUDE", "BACKUP_INTEGRITY_CHECK", "NETFS_PREFIX", "OUTPUT_PREFIX"),
    *_WAITS,
    *("USING_UEFI_BOOTLOADER", "NETWORKING_PREPARATION_COMMANDS", "COPY_AS_IS", "OPENSTACK_RUNBOOKS"),
    *("PROGS", "BACKUP_ONLY_INCLUDE", "BACKUP_PROG_INCLUDE"),
)

# As ReaR's main script does it, on defaults that are ReaR's. A file that ends with an error would end ReaR, too.
_READ = """
# shellcheck disable=SC1090,SC2034 # the files are read for what they set, and use what is set here
VAR_DIR=/var/lib/rear
HOSTNAME=$(hostname -s)
NETFS_PREFIX=$HOSTNAME OUTPUT_PREFIX=$HOSTNAME
BACKUP_PROG_EXCLUDE=('/tmp/*' '/dev/shm/*' "$VAR_DIR/output/*")
set +o errexit
for file in site local rescue; do
  [ ! -r "/etc/rear/$file.conf" ] || source "/etc/rear/$file.conf" >/dev/null || { echo "/etc/rear/$file.conf" >&2; exit 3; }
done
for name in "$@"; do
  declare -n values=$name
  for value in "${values[@]}"; do printf '%s\\t%s\\n' "$name" "$value"; done
  declare +n values
done
"""


@dataclass(frozen=True)
class Settings:
    """What ReaR reads: variable → its values, several where it is an array.

    Attributes:
        values: By the variable's name; one that is not set is left out.
    """

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """The value of a variable; empty where it is not set."""
        return next(iter(self.values.get(name, ())), "")

    def all(self, name: str) -> tuple[str, ...]:
        """The values of an array."""
        return self.values.get(name, ())

    def is_true(self, name: str) -> bool:
        """Whether a variable is one of ReaR's words for yes."""
        return self.one(name)[:1] in set("tTyY1")

    @property
    def with_password(self) -> list[str]:
        """Names of the URLs that hold a password."""
        return [name for name in ("OUTPUT_URL", "BACKUP_URL") if _PASSWORD.match(self.one(name))]


def parse_settings(text: str) -> Settings:
    """Read what the host prints: a name and a value a line."""
    values: dict[str, tuple[str, ...]] = {}
    for name, tab, value in (line.partition("\t") for line in text.splitlines()):
        if tab and value:
            values[name] = (*values.get(name, ()), value)
    return Settings(values)


def read_settings(shell: Shell) -> Settings:
    """Ask a node what ReaR would read there; nothing is set where ReaR is not set up.

    Raises:
        CommandFailed: bash can't read one of the files.
    """
    says = "read ReaR's configuration as ReaR does"
    return parse_settings(shell.run(script(_READ, *_NAMES, quiet=True, changes=False, says=says)).stdout)


@dataclass(frozen=True)
class Wanted:
    """What ReaR must read on a node.

    Attributes:
        output_url: Where the ISO goes.
        backup_url: Where the archive goes.
        uefi: Whether the node has booted by UEFI.
        networking: Commands that set up the rescue system's network, before what ReaR makes itself.
        digest: What the role's variables are known by.
        copied: Files that the rescue system needs, and that ReaR does not take along by itself.
    """

    output_url: str
    backup_url: str
    uefi: bool
    networking: tuple[str, ...]
    digest: str
    copied: tuple[str, ...] = ()

    @property
    def mended(self) -> tuple[str, ...]:
        """The lines that mend what the role leaves wrong."""
        exclude = " ".join(f"'{pattern}'" for pattern in EXCLUDED)
        return (
            "# The role replaces ReaR's own list. Without it what ReaR builds goes into the archive.",
            f"BACKUP_PROG_EXCLUDE+=( {exclude} )",
            "# `rear recover` compares the archive's checksum before it unpacks it.",
            "BACKUP_INTEGRITY_CHECK=1",
            "# Archive and ISO of each run in a directory of their own, so that none overwrites a good one. The rescue system",
            "# is told of every NETFS_ variable and so finds its own archive; BACKUP_PROG_ARCHIVE it would not be told.",
            'NETFS_PREFIX="$HOSTNAME/$(date -u +%Y%m%dT%H%M%SZ)"',
            'OUTPUT_PREFIX="$NETFS_PREFIX"',
            "# The rescue system waits for an order: an ISO that recovers by itself erases the disk each time it is booted.",
            "# By UEFI, ReaR 2.7 would have the first entry boot the disk.",
            "ISO_DEFAULT=manual",
            "ISO_RECOVER_MODE=",
            "GRUB2_DEFAULT_BOOT=rear",
            "GRUB2_TIMEOUT=5",
            "# By it `restore-node` keeps other disks from being written to; ReaR 2.4 does not take it along by itself.",
            "PROGS+=( blockdev )",
            *(f"COPY_AS_IS+=( {path} )" for path in self.copied),
            f"OPENSTACK_RUNBOOKS={self.digest}",
        )

    @property
    def network_lines(self) -> tuple[str, ...]:
        """The lines that set up the rescue system's network; none where ReaR's own do."""
        if not self.networking:
            return ()
        commands = " \\\n  ".join(map(shlex.quote, self.networking))
        return (
            "# The kernel's own bridge and VLANs stand in for Open vSwitch, which the rescue system has not.",
            "MODULES+=( bridge 8021q )",
            f"NETWORKING_PREPARATION_COMMANDS=( \\\n  {commands} )",
        )


def differences(seen: Settings, wanted: Wanted) -> list[str]:
    """Tell what ReaR would read that is not as it should be.

    Args:
        seen: What it reads.
        wanted: What it should.
    """
    found = _urls(seen, wanted)
    missing = [pattern for pattern in EXCLUDED if pattern not in seen.all("BACKUP_PROG_EXCLUDE")]
    if missing:
        found.append(f"BACKUP_PROG_EXCLUDE lacks {' '.join(missing)}")
    if seen.one("BACKUP_INTEGRITY_CHECK") != "1":
        found.append("BACKUP_INTEGRITY_CHECK is not 1")
    if (seen.one("ISO_DEFAULT"), seen.one("ISO_RECOVER_MODE"), seen.one("GRUB2_DEFAULT_BOOT")) != (
        "manual",
        "",
        "rear",
    ):
        found.append(
            "an ISO would not boot its rescue system and wait there (ISO_DEFAULT, ISO_RECOVER_MODE, GRUB2_DEFAULT_BOOT)"
        )
    if "blockdev" not in seen.all("PROGS"):
        found.append("PROGS lacks blockdev")
    prefix = seen.one("NETFS_PREFIX")
    if not _RUN.match(prefix) or seen.one("OUTPUT_PREFIX") != prefix:
        found.append("NETFS_PREFIX and OUTPUT_PREFIX are not one directory a run")
    if left := [path for path in wanted.copied if path not in seen.all("COPY_AS_IS")]:
        found.append(f"COPY_AS_IS lacks {' '.join(left)}")
    if wanted.uefi and seen.one("USING_UEFI_BOOTLOADER") != "1":
        found.append("USING_UEFI_BOOTLOADER is not 1, and the node has booted by UEFI")
    if wanted.networking and seen.all("NETWORKING_PREPARATION_COMMANDS") != wanted.networking:
        found.append("NETWORKING_PREPARATION_COMMANDS is not what the node's network needs")
    if seen.one("OPENSTACK_RUNBOOKS") != wanted.digest:
        found.append("the role was not run with these variables")
    return found


def _urls(seen: Settings, wanted: Wanted) -> list[str]:
    urls = (("OUTPUT_URL", wanted.output_url), ("BACKUP_URL", wanted.backup_url))
    return [f"{name} holds a password" for name in seen.with_password] + [
        f"{name} is {seen.one(name) or 'not set'}, and not {value}"
        for name, value in urls
        if seen.one(name) != value and name not in seen.with_password
    ]
