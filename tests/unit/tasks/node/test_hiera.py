"""Hiera prints `nil` and returns 0 for what it does not know: that is no answer."""

import pytest

from blocks.remote.errors import HostError
from tasks.node.hiera import ask, lookup, lookup_address
from tests.unit.fakes import FakeShell


@pytest.mark.parametrize("text", ["172.16.2.99\n", "172.16.2.99", "  172.16.2.99 \n\n"])
def test_an_answer_is_one_line(text: str) -> None:
    assert lookup(FakeShell().on("mysql_vip", say=text), "/etc/puppet/hiera.yaml", "mysql_vip") == "172.16.2.99"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "nothing"), (" \n", "nothing"), ("nil\n", "nil"), ("a\nb\n", "more than one line"), ("a\n\nb", "more than")],
)
def test_anything_else_is_refused_with_the_key_and_the_host(text: str, said: str) -> None:
    shell = FakeShell("controller-0").on("hiera", say=text)
    with pytest.raises(HostError, match=rf"controller-0: hiera answers {said}.* for mysql::server::root_password"):
        lookup(shell, "/etc/puppet/hiera.yaml", "mysql::server::root_password")


def test_the_question_is_the_documented_one_and_its_answer_is_not_logged() -> None:
    question = ask("/etc/puppet/hiera.yaml", "mysql_vip")
    assert question.shown == "sudo hiera -c /etc/puppet/hiera.yaml mysql_vip"
    assert question.quiet


def test_a_refusal_does_not_quote_the_answer() -> None:
    with pytest.raises(HostError) as refused:
        lookup(FakeShell().on("hiera", say="part one\npart two"), "/etc/puppet/hiera.yaml", "x")
    assert "part" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("172.16.2.99", "172.16.2.99"),
        ("172.16.2.99/32", "172.16.2.99"),
        ('["172.16.2.99"]', "172.16.2.99"),
        ("fd00:fd00:fd00:2000::14", "fd00:fd00:fd00:2000::14"),
        ("FD00:fd00:fd00:2000:0::14", "fd00:fd00:fd00:2000::14"),
        ("[fd00:fd00:fd00:2000::14]", "fd00:fd00:fd00:2000::14"),
        ("[fd00:fd00:fd00:2000::14]/64", "fd00:fd00:fd00:2000::14"),
        ("fd00:fd00:fd00:2000::14/64", "fd00:fd00:fd00:2000::14"),
    ],
)
def test_an_address_is_read_however_it_is_written(text: str, address: str) -> None:
    assert (
        lookup_address(FakeShell().on("mysql_vip", say=f"{text}\n"), "/etc/puppet/hiera.yaml", "mysql_vip") == address
    )


@pytest.mark.parametrize(
    "text", ["overcloud.internalapi.localdomain", "172.16.2", '["172.16.2.99", "172.16.2.98"]', "true"]
)
def test_what_is_no_address_is_refused_with_the_key(text: str) -> None:
    with pytest.raises(HostError, match="for mysql_vip, which is no IP address"):
        lookup_address(FakeShell().on("mysql_vip", say=f"{text}\n"), "/etc/puppet/hiera.yaml", "mysql_vip")
