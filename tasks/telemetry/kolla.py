"""Ceilometer on hosts that kolla-ansible deploys: which file its containers poll by, and how one is restarted.

Each container has a folder of the host, `/etc/kolla/ceilometer-compute` as a rule, from which kolla_set_configs copies what the
folder's config.json says at every start (kolla, docker/base/set_configs.py). The folder has a polling.yaml, and config.json tells
of it, only where the operator has given kolla-ansible one of his own (roles/ceilometer/tasks/config.yml, since Rocky); else the
file of the image counts. So it is in Train, Wallaby, 2023.1, 2024.1 and kolla-ansible's master of August 2026. They differ in who
runs the containers: Docker alone until 2023.1, podman, too, since 2023.2; and each has a systemd unit since 2023.1.

Each agent has a file of its own. CPU is polled in the namespace `compute` alone, so that container is the one that counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from blocks.remote.command import question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.yaml_text import InvalidYaml, parse_yaml
from tasks.engine.change import Change
from tasks.telemetry.agent_config import absolute, read_options
from tasks.telemetry.polling import PollingFile, read_existing

COMPUTE = "ceilometer_compute"
_CONFIG_FILES = "/var/lib/kolla/config_files"
_COPY_ONCE = "KOLLA_CONFIG_STRATEGY=COPY_ONCE"
_LASTING = (
    "set it for good in ceilometer/polling.yaml of kolla-ansible's node_custom_config (/etc/kolla/config where that is not set, on "
    "the host that deploys)"
)
_DEPLOY = f"{_LASTING}, then `kolla-ansible reconfigure --tags ceilometer`"

# Of the environment nothing but the strategy leaves the host.
_INSPECT = (
    "{{ range .Mounts }}{{ println .Destination .Source }}{{ end }}"
    f'{{{{ range .Config.Env }}}}{{{{ if eq . "{_COPY_ONCE}" }}}}{{{{ println . }}}}{{{{ end }}}}{{{{ end }}}}'
)


def read_file(shell: Shell, engine: str, container: str = COMPUTE) -> PollingFile:
    """Read the file on the host that a container copies at its start, and polls by.

    Args:
        shell: The host's.
        engine: `docker` or `podman`.
        container: Its name.

    Raises:
        HostError: It polls by a file that a restart does not bring; the folder can't be read.
    """
    asked = question(engine, "inspect", "--type=container", "--format", _INSPECT, container)
    folder, once = _parse_inspection(shell.run(asked).stdout)
    if not folder:
        said = f"container {container} has no folder of the host at {_CONFIG_FILES}"
        raise HostError(
            shell.name, said, f"kolla-ansible's have: see `{engine} inspect {container}`, or deploy it anew"
        )
    if once:
        said = f"container {container} keeps the files of its first start ({_COPY_ONCE})"
        raise HostError(shell.name, said, f"{_DEPLOY}, which makes it anew")
    # Where both are there, kolla_set_configs takes config.yaml, which it knows since 2026.
    config = read_existing(shell, (f"{folder}/config.yaml", f"{folder}/config.json"), _DEPLOY)
    options = read_options(shell, folder, "")
    wanted = absolute(options.polling_file or "polling.yaml")
    path = parse_copied(config, folder).get(wanted)
    if path is None:
        said = f"{config.path} copies nothing to {wanted}: {container} polls by the file of its image"
        raise HostError(shell.name, said, f"{_DEPLOY}; begin with that one (`{engine} exec {container} cat {wanted}`)")
    file = read_existing(shell, (path,), _DEPLOY)
    overwritten = f"the next `kolla-ansible reconfigure` writes it anew: {_LASTING}"
    return replace(file, named_by_config=bool(options.polling_file), overwritten=overwritten)


def _parse_inspection(text: str) -> tuple[str, bool]:
    """The host's folder that holds the configuration, empty where there is none; whether it is copied only once."""
    mounts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    folders = (source for inside, source in mounts.items() if inside.rstrip("/") == _CONFIG_FILES)
    return next(folders, "").strip().rstrip("/"), _COPY_ONCE in text.splitlines()


def parse_copied(config: PollingFile, folder: str) -> dict[str, str]:
    """Read which files of a host's folder become which of the container: path in the container → path on the host.

    Args:
        config: The folder's config.json; JSON is YAML.
        folder: On the host.

    Raises:
        HostError: kolla_set_configs could not read it either.
    """
    try:
        parsed = parse_yaml(config.text)
    except InvalidYaml as error:
        raise HostError(config.host, f"{config.path}: it can't be read at {error}", _DEPLOY) from None
    entries = parsed.get("config_files", []) if isinstance(parsed, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise HostError(config.host, f"{config.path}: it has no list config_files", _DEPLOY)
    copied = {}
    for entry in entries:
        source, target = PurePosixPath(str(entry.get("source"))), str(entry.get("dest"))
        if source.is_relative_to(_CONFIG_FILES):
            inside = f"{target}{source.name}" if target.endswith("/") else target
            copied[inside] = f"{folder}/{source.relative_to(_CONFIG_FILES)}"
    return copied


_LISTED = re.compile(r"^(ceilometer_(?:compute|central|ipmi|notification)) (.*)$", re.MULTILINE)


def parse_containers(listed: str) -> dict[str, bool]:
    """Find kolla-ansible's containers of Ceilometer: name → whether it runs.

    Args:
        listed: Name and status, as `docker ps` and `podman ps` print them.
    """
    return {name: status.startswith("Up") for name, status in _LISTED.findall(listed)}


# An agent is given the time that kolla-ansible gives it (docker_graceful_timeout). Where there is a unit, it may not know that
# somebody has started the container behind its back: starting it alone would then restart nothing.
_RESTART = """
unit="kolla-$1-container.service"
systemctl cat "$unit" >/dev/null 2>&1 || exec {engine} restart -t 60 "$1"
systemctl stop "$unit"
{engine} stop -t 60 "$1" >/dev/null
systemctl reset-failed "$unit" 2>/dev/null || :
systemctl start "$unit"
"""


def restart(engine: str, container: str) -> Change:
    """Restart a container, through its unit where there is one; whether it runs then, the caller waits for.

    Args:
        engine: `docker` or `podman`.
        container: Its name.
    """
    return Change((script(_RESTART.replace("{engine}", engine), container, quiet=True, timeout_s=180),))
