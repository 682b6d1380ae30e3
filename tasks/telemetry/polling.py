"""How often Ceilometer polls CPU, as the file on its host says it (AS 1.2 step 4, AS 1.3 step 3): read, and rewritten as text.

The interval stands in `polling.yaml` since Pike, on OSP 8 in `pipeline.yaml`. TripleO's containers copy `polling.yaml` at
their start from the configuration that Puppet has generated, and know nothing of the host's own `/etc`. Only the interval's
own characters are replaced, so that the rest of the file, its comments and its layout stay byte for byte as they are. The
next update of the overcloud writes the file anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell

METER = "cpu"
SHORTEST_S, LONGEST_S = 1, 86_400
# What is shipped since Pike; OSP 8 shipped 600 (AS 1.2 step 4: "every 10 minutes").
PRODUCTION_S = 300

_GENERATED = ("/var/lib/config-data/puppet-generated/ceilometer/etc/ceilometer/polling.yaml",)
# The first that is there is the one that is read: newer releases have a pipeline.yaml too, without intervals.
_INSTALLED = ("/etc/ceilometer/polling.yaml", "/etc/ceilometer/pipeline.yaml")
# tripleo-heat-templates, deployment/ceilometer/ceilometer-base-container-puppet.yaml: false unless it is set.
_UNMANAGED = (
    "containers without it read the polling.yaml of their image, and a change would last until they are made anew: deploy "
    "with the parameter ManagePolling set to true, and TripleO writes it"
)

_WRITE_OUT = "write the interval into each source itself"

_READ = 'for f; do if [ -e "$f" ]; then printf "%s\\n" "$f"; cat "$f"; exit 0; fi; done; exit 4'


@dataclass(frozen=True)
class PollingFile:
    """The file that says how often a host polls.

    Attributes:
        host: Where it was read.
        path: Its path there.
        text: All of it.
    """

    host: str
    path: str
    text: str

    @property
    def read_by_notification_agent(self) -> bool:
        """Whether the notification agent reads it too: pipeline.yaml, on OSP 8."""
        return PurePosixPath(self.path).name == "pipeline.yaml"


@dataclass(frozen=True)
class Source:
    """The one source that polls CPU.

    Attributes:
        name: Its name in the file.
        interval_s: How often it polls.
        line: Where the interval stands, from 0.
        column: Likewise.
    """

    name: str
    interval_s: int
    line: int
    column: int


def read_file(shell: Shell, containerized: bool) -> PollingFile:
    """Read the file that this host's agents use.

    Args:
        shell: The host's.
        containerized: Whether they are containers, which do not see a file that some package has left in the host's `/etc`.

    Raises:
        HostError: There is none.
    """
    if containerized:
        return read_existing(shell, _GENERATED, _UNMANAGED)
    return read_existing(shell, _INSTALLED, "name the hosts on which Ceilometer polls instances: computes")


def read_existing(shell: Shell, paths: tuple[str, ...], hint: str = "") -> PollingFile:
    """Read the first of these files that is there.

    Raises:
        HostError: None is.
    """
    found = read_first_existing(shell, paths)
    if found is None:
        raise HostError(shell.name, f"has no {' and no '.join(paths)}", hint)
    return found


def read_first_existing(shell: Shell, paths: tuple[str, ...]) -> PollingFile | None:
    """Read the first of these files that is there; None where none is."""
    answer = shell.run(script(_READ, *paths, quiet=True, changes=False, ok=(0, 4)))
    path, _, text = answer.stdout.partition("\n")
    return None if answer.exit_code else PollingFile(shell.name, path, text)


def find_source(file: PollingFile) -> Source:
    """Find the source that polls `cpu`: by name, else by a wildcard.

    On OSP 8 a source of all meters stands beside `cpu_source`, which alone makes `cpu_util`: the name counts more.

    Raises:
        HostError: The file can't be parsed, or has no such source, or several, or its interval is no number of seconds.
    """
    sources = _sources(file)
    polling = [source for source in sources if METER in source["meters"]] or [
        source for source in sources if _polls_cpu(source["meters"])
    ]
    if len(polling) != 1:
        found = f"several sources poll {METER}: {', '.join(str(source.get('name')) for source in polling)}"
        raise _file_error(
            file, found if polling else f"no source polls {METER}", "edit the file so that exactly one does"
        )
    (source,) = polling
    interval = source.get("interval")
    # A source that is nothing but a merge has no positions at all.
    if interval is not None and "interval" not in (source.lc.data or {}):
        raise _file_error(
            file, f"source {source.get('name')} has its interval from a YAML anchor that others share", _WRITE_OUT
        )
    if not isinstance(interval, int) or isinstance(interval, bool):
        raise _file_error(
            file, f"source {source.get('name')} has the interval {interval!r}", "give it one in whole seconds"
        )
    line, column = source.lc.value("interval")
    return Source(str(source.get("name")), int(interval), line, column)


def _sources(file: PollingFile) -> list[Any]:
    try:
        parsed = YAML(typ="rt").load(StringIO(file.text))
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        at = f" at line {where.line + 1}" if where is not None else ""
        raise _file_error(file, f"is no YAML{at}: {getattr(error, 'problem', None) or 'it does not parse'}") from error
    sources = parsed.get("sources") if isinstance(parsed, dict) else None
    if not isinstance(sources, list) or not all(
        isinstance(source, dict) and isinstance(source.get("meters"), list) for source in sources
    ):
        raise _file_error(file, "has no list of sources with their meters")
    return sources


def _file_error(
    file: PollingFile, what: str, hint: str = "correct the file before its interval is changed"
) -> HostError:
    return HostError(file.host, f"{file.path}: {what}", hint)


def _polls_cpu(meters: list[Any]) -> bool:
    """Whether Ceilometer would poll CPU for these: a name or wildcard that fits, and no exclusion that does."""
    names = [str(meter) for meter in meters]
    if any(name.startswith("!") and fnmatchcase(METER, name[1:]) for name in names):
        return False
    excluding_only = all(name.startswith("!") for name in names)
    return bool(names) and (excluding_only or any(fnmatchcase(METER, name) for name in names))


def with_interval(file: PollingFile, seconds: int) -> str:
    """Return the file's text with another interval of the source that polls CPU, and nothing else changed.

    Raises:
        HostError: As `find_source`; or the interval is out of bounds, or is shared through a YAML anchor.
    """
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise _file_error(
            file, f"an interval of {seconds} s is not within {SHORTEST_S} and {LONGEST_S} s", "choose another"
        )
    source = find_source(file)
    lines = file.text.splitlines(keepends=True)
    line = lines[source.line]
    old = str(source.interval_s)
    if not line[source.column :].startswith(old):
        raise _file_error(
            file, f"the interval of source {source.name} is not written as {old}", "write it as a plain number"
        )
    lines[source.line] = line[: source.column] + str(seconds) + line[source.column + len(old) :]
    changed = replace(file, text="".join(lines))
    pairs = zip(_sources(file), _sources(changed), strict=True)
    if sum(before.get("interval") != now.get("interval") for before, now in pairs) > 1:
        raise _file_error(file, f"others share the interval of source {source.name} through a YAML anchor", _WRITE_OUT)
    return changed.text


def interval_warnings(seconds: int) -> list[str]:
    """What the operator must know of an interval (AS 1.2 step 4, the note)."""
    if seconds >= PRODUCTION_S:
        return []
    return [
        f"polling every {seconds} s is not for production: Ceilometer ships {PRODUCTION_S} s, and the document calls 60 s "
        "not recommended, since each poll is load on the control plane. Put the old interval back after the test"
    ]


def backup_path(path: str, stamp: str) -> str:
    """Where the old file is kept: beside it, dated."""
    return f"{path}.before-{stamp}"


def is_broken(file: PollingFile) -> bool:
    """Whether it is no YAML, or has no list of sources, so that no agent can read it."""
    try:
        _sources(file)
    except HostError:
        return True
    return False


def sha256(text: str) -> str:
    """What `sha256sum` says of the file on its host."""
    return hashlib.sha256(text.encode()).hexdigest()
