"""The interval is changed where it stands, found changed, and put back."""

from __future__ import annotations

import re

from tests.autoscaling.runbooks import Runbooks

FILE = "/etc/ceilometer/polling.yaml"


def polling(runbooks: Runbooks) -> tuple[str, str]:
    """The file, and the process that polls."""
    text = runbooks.cloud.exec(f"cat {FILE}").stdout
    return text, runbooks.cloud.exec("systemctl show --property MainPID --value ceilometer-polling").stdout


def test_it_is_changed_once_and_put_back_as_it_was(runbooks: Runbooks) -> None:
    before, process = polling(runbooks)
    changed = runbooks.run("set-telemetry-interval", interval_s=7, role="Controller")
    assert changed.code == 0, changed.output[-3000:]
    assert "not for production" in changed.output
    now, restarted = polling(runbooks)
    assert re.sub(r"interval: \d+", "interval: 7", before, count=1) == now
    assert restarted != process
    again = runbooks.run("set-telemetry-interval", interval_s=7, role="Controller")
    assert again.code == 0, again.output[-3000:]
    assert polling(runbooks) == (now, restarted)
    back = runbooks.run("set-telemetry-interval", put_back=True, role="Controller")
    assert back.code == 0, back.output[-3000:]
    text, process = polling(runbooks)
    assert text == before
    assert process != restarted


def test_a_role_without_telemetry_is_refused(runbooks: Runbooks) -> None:
    refused = runbooks.run("set-telemetry-interval", interval_s=7, role="Compute")
    assert refused.code == 1
    assert "has no role 'Compute'" in refused.output


def test_nothing_to_put_back_is_refused(runbooks: Runbooks) -> None:
    refused = runbooks.run("set-telemetry-interval", put_back=True, role="Controller")
    assert refused.code == 1
    assert f"no earlier {FILE} is kept" in refused.output
