"""What is in the lab's database: schemas from `sql/schemas.sql`, accounts, and rows up to a wanted size."""

from pathlib import Path

from tests.lab import cluster
from tests.lab.machines import Machines
from tests.lab.settings import CONTROLLERS, PASSWORDS, SERVICES, VIP
from tests.lab.shell import Progress

SCHEMAS = (*SERVICES, "capacity_views", "legacy_billing")
ROLE = "overcloud_reader"
_SQL = Path(__file__).resolve().parent / "sql" / "schemas.sql"
# Tables that are large in an overcloud too, with the columns that are filled. Each row has about 2 KB.
_BULK = {
    "nova.instance_extra": ("instance_uuid, flavor", "UUID()"),
    "cinder.volume_glance_metadata": ("volume_id, value", "UUID()"),
    "heat.raw_template": ("files, template", "'{}'"),
}
_ROW_BYTES = 2080
_ROWS_PER_STATEMENT = 4096
# What the schemas have in any case.
_SMALLEST_MB = 3


def create(machines: Machines, size_mb: int, progress: Progress) -> None:
    """Fills a new cluster with databases and accounts."""
    cluster.sql(machines, CONTROLLERS[0], _SQL.read_text())
    for name in CONTROLLERS:
        # Rows of tables that are not InnoDB's stay on the node where they are written.
        cluster.sql(machines, name, _ARIA_ROWS)
    cluster.sql(machines, CONTROLLERS[0], accounts())
    progress("databases and accounts")
    fill(machines, size_mb)
    progress(f"rows up to {size_mb} MB")


_ARIA_ROWS = """
USE legacy_billing;
INSERT INTO legacy_billing.invoices SELECT seq, MD5(1 + seq % 200), seq * 1.25 FROM seq_1_to_400;
INSERT INTO legacy_billing.rates SELECT CONCAT('m1.', seq), seq * 0.0125 FROM seq_1_to_16;
"""


def accounts() -> str:
    """Returns the SQL that makes the accounts: for services, at an address pattern, at a name, and through a role."""
    lines = []
    for name in SERVICES:
        for host in ("%", VIP):
            lines.append(f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{PASSWORDS[name]}';")
            lines.append(f"GRANT ALL PRIVILEGES ON `{name}`.* TO '{name}'@'{host}';")
    lines += [
        f"CREATE USER 'nova'@'192.168.24.%' IDENTIFIED BY '{PASSWORDS['nova_wildcard']}';",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON nova.* TO 'nova'@'192.168.24.%';",
        "CREATE USER 'neutron'@'controller-0.internalapi.localdomain' "
        f"IDENTIFIED BY '{PASSWORDS['neutron_fqdn']}' REQUIRE NONE WITH MAX_USER_CONNECTIONS 50;",
        "GRANT ALL PRIVILEGES ON neutron.* TO 'neutron'@'controller-0.internalapi.localdomain';",
        f"CREATE ROLE {ROLE};",
        f"GRANT SELECT, SHOW VIEW ON *.* TO {ROLE};",
        f"CREATE USER 'monitoring'@'%' IDENTIFIED BY '{PASSWORDS['monitoring']}';",
        f"GRANT {ROLE} TO 'monitoring'@'%';",
        f"SET DEFAULT ROLE {ROLE} FOR 'monitoring'@'%';",
        f"CREATE USER 'reports'@'localhost' IDENTIFIED BY '{PASSWORDS['reports']}';",
        "GRANT SELECT (uuid, host, vcpus) ON nova.instances TO 'reports'@'localhost';",
        "GRANT EXECUTE ON PROCEDURE nova.archive_faults TO 'reports'@'localhost';",
        "GRANT EXECUTE ON FUNCTION nova.vcpus_of TO 'reports'@'localhost';",
    ]
    return "\n".join(lines) + "\n"


def fill(machines: Machines, size_mb: int) -> None:
    """Adds rows to the large tables until all data has about the wanted size."""
    rows = max(0, size_mb - _SMALLEST_MB) * 1024 * 1024 // _ROW_BYTES
    statements = ["USE nova;"]
    tables = list(_BULK.items())
    for index in range((rows + _ROWS_PER_STATEMENT - 1) // _ROWS_PER_STATEMENT):
        table, (columns, first) = tables[index % len(tables)]
        count = min(_ROWS_PER_STATEMENT, rows - index * _ROWS_PER_STATEMENT)
        values = f"SELECT {first}, REPEAT(MD5(RAND()), 64) FROM seq_1_to_{count}"  # noqa: S608 - made of constants
        statements.append(f"INSERT INTO {table} ({columns}) {values};")
    cluster.sql(machines, CONTROLLERS[0], "\n".join(statements), timeout=1800)
