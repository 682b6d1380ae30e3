"""The cluster address is read as MariaDB reads it, and its nodes as Galera does."""

import pytest

from blocks.remote.errors import HostError
from tasks.database.cluster_address import cluster_nodes, parse_cluster_address

NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"


@pytest.mark.parametrize(
    "text",
    [
        f"[mysqld]\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address={NODES}\n",
        f"[mysqld]\nwsrep-cluster-address={NODES}\n",
        f'[mysqld]\nwsrep_cluster_address = "{NODES}"\n',
        f"[mysqld]\nwsrep_cluster_address='{NODES}'\n",
        f"[client]\nport = 3306\n\n[mysqld]\nskip-name-resolve\n[galera]\nwsrep_cluster_address ={NODES}\n",
        f"# wsrep_cluster_address = gcomm://old\n!includedir /etc/my.cnf.d\n[mysqld]\nwsrep_cluster_address= {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address = gcomm://\nwsrep_cluster_address = {NODES}\n",
        f'[mysqld]\nwsrep_cluster_address="{NODES}" # all nodes\n',
        f"[mysqld]\nwsrep_cluster_address = {NODES}# all nodes\n",
        f"[mysqld]\nwsrep_cluster_address = '{NODES}'  # it's \"all\" nodes\n",
        f"[mysqld]\nloose-wsrep_cluster_address = {NODES}\n",
        f"[mysqld]\n;wsrep_cluster_address = gcomm://old\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address = gcomm://old\n[galera]\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_provider_options = gmcast.listen_addr=tcp://1.2.3.4:4567;x=y\nwsrep_cluster_address={NODES}\n",
    ],
)
def test_the_cluster_address_is_found_however_it_is_written(text: str) -> None:
    assert parse_cluster_address("controller-0", text) == NODES


@pytest.mark.parametrize(
    ("address", "nodes"),
    [
        (NODES, ("controller-0.internalapi", "controller-1.internalapi", "controller-2.internalapi")),
        ("gcomm://c-0:4567,c-1:4567?pc.wait_prim=no&gmcast.segment=1", ("c-0", "c-1")),
        ("gcomm://172.16.2.11, 172.16.2.12,", ("172.16.2.11", "172.16.2.12")),
        ("gcomm://[fd00::11]:4567,[fd00::12]", ("fd00::11", "fd00::12")),
        ("gcomm://fd00::11,fd00::12", ("fd00::11", "fd00::12")),
    ],
)
def test_the_nodes_of_an_address_are_told_without_ports_and_options(address: str, nodes: tuple[str, ...]) -> None:
    assert cluster_nodes(parse_cluster_address("x", f"[mysqld]\nwsrep_cluster_address = {address}\n")) == nodes


@pytest.mark.parametrize(
    "address",
    [
        "c-0,c-1",
        "dummy://",
        "gcomm://c-0 c-1",
        "gcomm://<nodes>",
        "gcomm://c-0;c-1",
        '"gcomm://c-0,c-1',
        "gcomm://c_0/c-1",
    ],
)
def test_what_is_no_list_of_nodes_is_refused_with_what_it_is(address: str) -> None:
    with pytest.raises(HostError, match="which is no list of nodes") as refused:
        parse_cluster_address("controller-0", f"[mysqld]\nwsrep_cluster_address = {address}\n")
    assert address in refused.value.message


def test_an_indented_line_is_an_option_of_its_own() -> None:
    text = f"[mysqld]\n  wsrep_cluster_address = {NODES}\n    wsrep_cluster_name = galera_cluster\n"
    assert parse_cluster_address("controller-0", text) == NODES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[mysqld]\n",
        "[mysqld]\nwsrep_cluster_address\n",
        "[mysqld]\nwsrep_cluster_address =\n",
        "[mysqld]\nwsrep_cluster_address = gcomm://\n",
        '[mysqld]\nwsrep_cluster_address = "gcomm://"\n',
        f"[mysqld]\n# wsrep_cluster_address = {NODES}\n",
        f"wsrep_cluster_address = {NODES}\n",
    ],
)
def test_an_address_that_is_missing_or_names_no_node_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="controller-0: Galera's option file"):
        parse_cluster_address("controller-0", text)
