"""How often Ceilometer polls CPU, as the file on its host says it (AS 1.2 step 4, AS 1.3 step 3): read, and rewritten as text.

The interval stands in `polling.yaml` since Pike, on OSP 8 in `pipeline.yaml`. TripleO's containers copy `polling.yaml` at
their start from the configuration that Puppet has generated, and know nothing of the host's own `/etc`. Only the interval's
own characters are replaced, so that the rest of the file, its comments and its layout stay byte for byte as they are. The
next update of the overcloud writes the file anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.yaml_text import InvalidYaml
from tasks.telemetry.agent_config import CONFIG, absolute, read_options
from tasks.telemetry.polling_sources import InvalidSources, WrittenSource, parse_sources, polls

METER = "cpu"
SHORTEST_S, LONGEST_S = 1, 86_400
# What is shipped since Pike; OSP 8 shipped 600 (AS 1.2 step 4: "every 10 minutes").
PRODUCTION_S = 300

_GENERATED_ROOT = "/var/lib/config-data/puppet-generated/ceilometer"
_GENERATED = (f"{_GENERATED_ROOT}{CONFIG}/polling.yaml",)
# The first that is there is the one that is read: newer releases have a pipeline.yaml too, without intervals.
_INSTALLED = (f"{CONFIG}/polling.yaml", f"{CONFIG}/pipeline.yaml")
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
        named_by_config: Whether ceilometer.conf names it as what the agents poll by, whatever it is called.
        overwritten: A sentence on what writes it anew, and where an interval is set for good; empty where that is not known.
    """

    host: str
    path: str
    text: str
    named_by_config: bool = False
    overwritten: str = ""

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
        index: How many characters of the text stand before it.
    """

    name: str
    interval_s: int
    line: int
    column: int
    index: int = field(default=0, compare=False)


def read_file(shell: Shell, containerized: bool) -> PollingFile:
    """Read the file that this host's agents use: the one that their ceilometer.conf names, else where it is installed.

    Args:
        shell: The host's.
        containerized: Whether they are containers, which do not see a file that some package has left in the host's `/etc`.

    Raises:
        HostError: There is none.
    """
    options = read_options(shell, _GENERATED_ROOT if containerized else "")
    named = options.polling_file
    if named not in {"", "polling.yaml", f"{CONFIG}/polling.yaml"}:
        return _read_named(shell, named, containerized)
    if containerized:
        return read_existing(shell, _GENERATED, _UNMANAGED)
    installed = _INSTALLED
    if options.pipeline_file and not options.polling_file:
        installed = (*_INSTALLED[:-1], absolute(options.pipeline_file))
    return read_existing(shell, installed, "name the hosts on which Ceilometer polls instances: computes")


def _read_named(shell: Shell, named: str, containerized: bool) -> PollingFile:
    """Read the file that `[polling] cfg_file` names, which is none of the usual ones."""
    path = absolute(named)
    says = f"ceilometer.conf names {named} in [polling] cfg_file"
    if containerized and not path.startswith(f"{CONFIG}/"):
        hint = f"let it lie in {CONFIG}, which TripleO mounts from the host, or take the option out"
        raise HostError(shell.name, f"{says}, and the containers have that of their own image", hint)
    there = f"{_GENERATED_ROOT}{path}" if containerized else path
    found = read_existing(shell, (there,), f"{says}: correct the option, or put the file there")
    return replace(found, named_by_config=True)


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
    """Find the one source that polls `cpu`, by name or by a wildcard.

    Ceilometer polls for every source by itself, so that one of several does not say how often. On OSP 8 a source of all meters
    stands beside `cpu_source`, which alone makes `cpu_util`: there the name counts more.

    Raises:
        HostError: No agent can read the file; it has no such source, or several; its interval can't be changed by itself.
    """
    sources = read_sources(file)
    polling = [source for source in sources if polls(source.meters, METER)]
    if file.read_by_notification_agent and not file.named_by_config:
        polling = [source for source in polling if METER in source.meters] or polling
    if len(polling) != 1:
        found = f"several sources poll {METER}: {', '.join(source.name for source in polling)}"
        hint = f'edit the file so that exactly one does; a source of all meters leaves it out with "!{METER}"'
        raise _file_error(file, found if polling else f"no source polls {METER}", hint)
    (source,) = polling
    if source.written is None:
        raise _file_error(
            file, f"source {source.name} has its interval from a YAML anchor that others share", _WRITE_OUT
        )
    mark, shift = source.written.start_mark, 1 if source.written.style in ("'", '"') else 0
    return Source(source.name, source.interval_s, mark.line, mark.column + shift, mark.index + shift)


def _file_error(
    file: PollingFile, what: str, hint: str = "correct the file before its interval is changed"
) -> HostError:
    return HostError(file.host, f"{file.path}: {what}", hint)


def read_sources(file: PollingFile) -> list[WrittenSource]:
    """Read the sources as Ceilometer's agents do.

    Raises:
        HostError: They end at this file.
    """
    try:
        return parse_sources(file.text)
    except InvalidYaml as error:
        raise _file_error(file, f"is no YAML{' at' if error.line else ':'} {error}") from None
    except InvalidSources as error:
        raise _file_error(file, str(error)) from None


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
    old = str(source.interval_s)
    if not file.text[source.index :].startswith(old):
        raise _file_error(
            file, f"the interval of source {source.name} is not written as {old}", "write it as a plain number"
        )
    text = file.text[: source.index] + str(seconds) + file.text[source.index + len(old) :]
    pairs = zip(read_sources(file), read_sources(replace(file, text=text)), strict=True)
    if sum(before.interval_s != now.interval_s for before, now in pairs) > 1:
        raise _file_error(file, f"others share the interval of source {source.name} through a YAML anchor", _WRITE_OUT)
    return text


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
    """Whether Ceilometer's agents end at it."""
    try:
        read_sources(file)
    except HostError:
        return True
    return False


def sha256(text: str) -> str:
    """What `sha256sum` says of the file on its host."""
    return hashlib.sha256(text.encode()).hexdigest()
