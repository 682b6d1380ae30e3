"""What a server to throw away is started with, in its container: on an empty directory, or on a prepared copy."""

from __future__ import annotations

DATA = "/var/lib/mysql"
_LOG = f"{DATA}/drill.log"
_OPTIONS = f"""--datadir={DATA} --socket={DATA}/mysql.sock --user=mysql --skip-networking \\
  --event-scheduler=OFF --max-allowed-packet=1G --log-error={_LOG}"""
# No option file: the image's own may name a cluster, and a password in root's would be wrong. Events must not run in a copy
# (OFF is the default; an event that a dump creates stays as it is). Settings of durability are MariaDB's own, so that the time
# that loading takes says something of a real restore's. What mysql_install_db makes beside the system tables by itself, a
# schema and an account for its socket, would differ from what was backed up.
START = f"""
set -o errexit
chown mysql:mysql {DATA}
mysql_install_db --no-defaults --datadir={DATA} --user=mysql \\
  --auth-root-authentication-method=normal --skip-test-db >/dev/null
exec mysqld_safe --no-defaults {_OPTIONS} "$@"
"""
# A copy brings InnoDB's layout along, as an option file, and its own root, whose password is nobody's business here: one without a
# password takes its place before anybody can log in. From 10.4 on it is made as mysql_install_db makes it: a plugin that judges
# passwords, which is in the copy, too, would refuse the statement. Without grant tables, MariaDB would not tell of events.
_IS_10_4 = (
    "EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'global_priv')"
)
_ROOT_10_4 = """REPLACE INTO mysql.global_priv VALUES ('localhost', 'root', '{"access": 18446744073709551615}')"""
_ROOT_10_3 = (
    "CREATE OR REPLACE USER root@localhost IDENTIFIED VIA mysql_native_password USING ''; "
    "GRANT ALL PRIVILEGES ON *.* TO root@localhost WITH GRANT OPTION"
)
START_ON_COPY = f"""
set -o errexit
cat >{DATA}/drill.sql <<'SQL'
BEGIN NOT ATOMIC IF {_IS_10_4} THEN {_ROOT_10_4}; ELSE {_ROOT_10_3}; END IF; END;
FLUSH PRIVILEGES;
SQL
exec mysqld_safe --defaults-file={DATA}/backup-my.cnf {_OPTIONS} --init-file={DATA}/drill.sql "$@"
"""
