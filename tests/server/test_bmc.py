"""A BMC over HTTPS: its certificate is its own, for another name, and pinned; another one gets no password."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from blocks.remote.bmc_errors import BmcCertificateRejected, BmcUnreachable
from tests.redfish.server import serve
from tests.redfish.service import Redfish

pytestmark = pytest.mark.server


def test_a_certificate_of_the_bmcs_own_is_accepted_where_it_is_pinned(tmp_path: Path) -> None:
    service = Redfish()
    with serve(service, tmp_path) as served, warnings.catch_warnings():
        warnings.simplefilter("error")
        bmc = served.client()
        bmc.power_off()
        assert bmc.power() == "Off"
        bmc.close()
    assert service._asked == {}, "it has logged out"


def test_another_certificate_is_rejected_before_anything_is_sent(tmp_path: Path) -> None:
    service = Redfish()
    with serve(service, tmp_path) as served:
        with pytest.raises(
            BmcCertificateRejected, match=f"SHA-256 {served.fingerprint}, which is not the pinned"
        ) as raised:
            served.client("00" * 32).power()
        assert "write that into certificate_sha256" in raised.value.hint
        with pytest.raises(BmcCertificateRejected, match=r"TLS: .*self-signed certificate"):
            served.client_without_pin().power()
    assert service._asked == {}


def test_one_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    with serve(Redfish(), tmp_path) as served:
        pass
    with pytest.raises(BmcUnreachable, match="no answer \\(could not read the power state\\)"):
        served.client().power()
