"""Ironic's maintenance: set once, ended where a restore has set it, and never where somebody else has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from tasks.engine.step import apply_change
from tasks.node.ironic import REASON, IronicNode, end_maintenance, parse_nodes, read_nodes, set_maintenance
from tests.unit.fakes import FakeShell, LocalShell, silent

NAMES = ["overcloud-controller-0", "overcloud-controller-1"]


class Ironic(FakeShell):
    """An undercloud with an Ironic."""

    def __init__(self) -> None:
        super().__init__("undercloud")
        self.reasons: dict[str, str | None] = {"u0": None, "u1": None, "u2": "broken fan"}
        self.on("baremetal node list", say=lambda _: self.listed())
        self.on("maintenance set", say=self._set).on("maintenance unset", say=self._unset)

    def listed(self) -> str:
        names = {"u0": "overcloud-controller-0", "u1": "overcloud-controller-1", "u2": "overcloud-compute-0"}
        return json.dumps(
            [
                {
                    "UUID": uuid,
                    "Name": f"rack1-{uuid}",
                    "Maintenance": reason is not None,
                    "Maintenance Reason": reason,
                    "Instance Info": {"display_name": names[uuid]},
                }
                for uuid, reason in self.reasons.items()
            ]
        )

    def _set(self, asked: Command) -> str:
        self.reasons[asked.words[-1]] = asked.words[-2]
        return ""

    def _unset(self, asked: Command) -> str:
        self.reasons[asked.words[-1]] = None
        return ""


def test_nodes_are_found_by_the_names_of_their_instances_and_left_alone_once() -> None:
    ironic = Ironic()
    nodes = read_nodes(ironic, "stack", NAMES)
    assert nodes == [IronicNode(name, f"u{number}", False, False) for number, name in enumerate(NAMES)]
    assert [apply_change(ironic, set_maintenance("stack", nodes), silent) for _ in range(2)] == ["done", "already"]
    assert ironic.reasons == {"u0": REASON, "u1": REASON, "u2": "broken fan"}
    assert all(node.ours for node in read_nodes(ironic, "stack", NAMES))
    assert [apply_change(ironic, end_maintenance("stack", nodes), silent) for _ in range(2)] == ["done", "already"]
    assert ironic.reasons == {"u0": None, "u1": None, "u2": "broken fan"}


def test_a_maintenance_that_somebody_else_has_set_is_none_of_ours() -> None:
    ironic = Ironic()
    ironic.reasons["u0"] = "being repaired"
    assert [(node.maintenance, node.ours) for node in read_nodes(ironic, "stack", NAMES)] == [
        (True, False),
        (False, False),
    ]


def test_an_undercloud_without_credentials_has_no_ironic(tmp_path: Path) -> None:
    (tmp_path / "sudo").write_text(f'#!/bin/bash\nHOME={tmp_path} exec "${{@:5}}"\n')
    (tmp_path / "openstack").write_text('#!/bin/bash\n[ "$OS_CLOUD" = undercloud ] && echo "[]" || exit 1\n')
    for name in ("sudo", "openstack"):
        (tmp_path / name).chmod(0o755)
    here = LocalShell(tmp_path)
    assert read_nodes(here, "stack", NAMES) == []
    (tmp_path / "stackrc").write_text("export OS_CLOUD=undercloud\n")
    assert read_nodes(here, "stack", NAMES) == []
    (tmp_path / "stackrc").write_text("export OS_CLOUD=another\n")
    with pytest.raises(HostError, match="exit code 1"):
        read_nodes(here, "stack", NAMES)


@pytest.mark.parametrize("text", ["not JSON", '[{"UUID": "u0"}]', '{"a": 1}', "[1]"])
def test_what_can_not_be_read_is_told(text: str) -> None:
    with pytest.raises(HostError, match="what Ironic says of its nodes can't be read"):
        parse_nodes("undercloud", text, NAMES)
