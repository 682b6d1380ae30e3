"""The SQL that reads what is in a server: one text, whatever the server holds, so that all of it is read in one snapshot.

The names of tables and columns are put into statements by the server itself (`EXECUTE IMMEDIATE` in a compound statement,
both from MariaDB 10.3 on in the form used here). A list that the client had read before would be older than the snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence

# The server's own schemas. Its accounts are read apart; root has passwords of its own wherever data is restored.
SYSTEM_SCHEMAS = ("mysql", "information_schema", "performance_schema", "sys")
_SYSTEM_SCHEMAS = str(SYSTEM_SCHEMAS)
# Directories within the data directory that are no schema, and are listed as one: what a state transfer that was cut short has left
# (`.sst`), and a file system's own. Whoever selects one gets ERROR 1102, which ends a dump.
IS_SCHEMA = "schema_name NOT LIKE '#mysql50#.%' AND schema_name <> '#mysql50#lost+found'"
OWN_ACCOUNTS = ("", "root", "mariadb.sys", "PUBLIC")
_OWN_ACCOUNTS = str(OWN_ACCOUNTS)

# The row after which nothing is read any more that the snapshot does not hold.
UNLOCKED = "unlocked"

# What a session must say alike on every server: in UTC, with backslashes and backticks, for as long as it takes. A node that is
# out of its cluster answers, too.
_SESSION = """
SET NAMES utf8mb4;
SET SESSION sql_mode = '', time_zone = '+00:00', sql_quote_show_create = ON, wsrep_dirty_reads = ON,
  group_concat_max_len = 67108864, max_statement_time = 0, lock_wait_timeout = 60, sql_select_limit = DEFAULT;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
"""
_BEGIN_SNAPSHOT = f"{_SESSION}START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;\n"

# A value as bytes: text in its column's own character set, so that a dump that has lost what it could not convert is found;
# numbers and times as text, and so a FLOAT with the six digits that mysqldump writes, and zero
# without its sign, which older servers lose. The length before it keeps two values
# from being read as one, and a NULL has none. Large values are hashed by themselves: a CONCAT that is longer than
# max_allowed_packet is NULL. Generated columns are left out: their definition says what is in them.
_VALUE = """
    IF(character_octet_length > 1024 OR data_type IN ('geometry', 'point', 'linestring', 'polygon',
        'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection', 'vector'),
      CONCAT('IFNULL(CONCAT(LENGTH(', @name, '),'':'',SHA1(', @name, ')),''n'')'),
      CONCAT('IFNULL(', IF(data_type IN ('float', 'double'), CONCAT('IF(', @name, '=0,''1:0'','), '('),
        'CONCAT(LENGTH(CAST(', @name, ' AS BINARY)),'':'',CAST(', @name, ' AS BINARY))),''n'')'))
""".strip().replace("@name", "'`', REPLACE(column_name, '`', '``'), '`'")

# Rows, and the sum of 64 bits of each row's SHA-1: the order does not matter, equal rows count. Not a CRC, which is linear: with
# the values of two rows exchanged the XOR of both stays as it was, and a second one over the same bytes says nothing more.
_HASH = f"""
  SELECT COALESCE(GROUP_CONCAT({_VALUE} ORDER BY ordinal_position SEPARATOR ','), '''''') INTO @row
    FROM information_schema.columns
    WHERE table_schema = it.table_schema AND table_name = it.table_name AND BINARY table_name = BINARY it.table_name
      AND BINARY table_schema = BINARY it.table_schema AND is_generated = 'NEVER';
  EXECUTE IMMEDIATE CONCAT('SELECT ''rows'', ?, ?, COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA1(CONCAT(', @row,
    ')), 16), 16, 10) AS UNSIGNED)), 0) FROM ', @object) USING it.table_schema, it.table_name;
"""  # noqa: S608 - names of our own

# What can't be read is told in its place. A savepoint lets go of each table's metadata lock: else a DDL of the cluster, which
# waits for nobody, would end this session.
_HANDLER = """
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN
    GET DIAGNOSTICS CONDITION 1 @why = MESSAGE_TEXT;
    SELECT 'unreadable', @kind, @schema, @object_name, @why;
  END;
"""


def _each(kind: str, schema: str, name: str, source: str, do: str) -> str:
    """A loop over the objects of a kind; `do` finds the object as `@object`, quoted, and as `it`."""
    return f"""
  FOR it IN ({source}) DO
    SET @kind = {kind}, @schema = it.{schema}, @object_name = it.{name}, @object = CONCAT('`', REPLACE(it.{schema}, '`', '``'),
      '`.`', REPLACE(it.{name}, '`', '``'), '`');
    {do}
  END FOR;
"""


_SHOW = """SELECT 'create', @kind, @schema, @object_name;
    EXECUTE IMMEDIATE CONCAT('SHOW CREATE ', @kind, ' ', @object);"""


def _tables(chosen: str, engines: str, largest_bytes: int, within_s: int) -> str:
    source = f"""SELECT table_schema, table_name, table_type, COALESCE(engine, '') AS engine,
      COALESCE(data_length, 0) AS bytes, COALESCE(update_time, '') AS written FROM information_schema.tables
      WHERE table_schema {chosen} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')
      AND {engines} ORDER BY COALESCE(data_length, 0)"""  # noqa: S608 - names of our own
    too_large = f"more than the limit of {largest_bytes // 1024**2} MiB"
    hashed = f"""SAVEPOINT one_table;
    SELECT LOWER(@kind), it.table_schema, it.table_name, it.engine, it.table_type, it.written;
    {_SHOW}
    IF @kind = 'SEQUENCE' THEN
      EXECUTE IMMEDIATE CONCAT('SELECT ''next'', ?, ?, next_not_cached_value, increment FROM ', @object)
        USING it.table_schema, it.table_name;
    ELSEIF it.bytes > {largest_bytes} THEN
      SELECT 'left out', it.table_schema, it.table_name, CONCAT('it has ', it.bytes DIV 1048576, ' MiB, {too_large}');
    ELSEIF SYSDATE() >= @began + INTERVAL {within_s} SECOND THEN
      SELECT 'left out', it.table_schema, it.table_name, 'the {within_s} s for hashing were over';
    ELSE {_HASH}
    END IF;
    ROLLBACK TO SAVEPOINT one_table;"""  # noqa: S608 - names of our own, and numbers
    return _each("IF(it.table_type = 'SEQUENCE', 'SEQUENCE', 'TABLE')", "table_schema", "table_name", source, hashed)


def _programs(chosen: str) -> str:
    """Views, routines, packages, events and triggers: each by its SHOW CREATE."""
    views = f"SELECT table_schema, table_name FROM information_schema.views WHERE table_schema {chosen}"  # noqa: S608 - names of our own
    routines = f"""SELECT routine_schema, routine_name, routine_type FROM information_schema.routines
      WHERE routine_schema {chosen}"""  # noqa: S608 - names of our own
    events = f"SELECT event_schema, event_name FROM information_schema.events WHERE event_schema {chosen}"  # noqa: S608 - names of our own
    triggers = f"""SELECT trigger_schema, trigger_name, event_object_table, action_order
      FROM information_schema.triggers WHERE trigger_schema {chosen}"""  # noqa: S608 - names of our own
    order = "SELECT 'order', @kind, @schema, @object_name, it.event_object_table, it.action_order;"
    return (
        _each("'VIEW'", "table_schema", "table_name", views, _SHOW)
        + _each("it.routine_type", "routine_schema", "routine_name", routines, _SHOW)
        + _each("'EVENT'", "event_schema", "event_name", events, _SHOW)
        + _each("'TRIGGER'", "trigger_schema", "trigger_name", triggers, f"{_SHOW}\n    {order}")
    )


# From the tables and not from SHOW GRANTS: with skip-name-resolve a server passes over accounts at a host name, though it keeps
# them. What an account logs in with leaves the server as a SHA-256 alone. Until 10.3 `mysql.user` is a table, then a view of
# `mysql.global_priv`, which has more: whether the account is locked, other ways to log in, the privileges of later versions.
_ACCOUNTS = f"""
  SET @kind = 'ACCOUNT', @schema = 'mysql', @object_name = 'user';
  SELECT GROUP_CONCAT('IF(', column_name, '=''Y'',''', REPLACE(REPLACE(UPPER(column_name), '_PRIV', ''), '_', ' '), ''',NULL)')
    INTO @global FROM information_schema.columns
    WHERE table_schema = 'mysql' AND table_name = 'user' AND column_name LIKE '%\\_priv';
  EXECUTE IMMEDIATE CONCAT('SELECT ''account'', user, host, is_role, default_role,
    IF(plugin = ''mysql_native_password'', '''', plugin),
    SHA2(IF(authentication_string <> '''', authentication_string, password), 256),
    SHA2(CONCAT_WS(''|'', ssl_type, ssl_cipher, x509_issuer, x509_subject, max_questions, max_updates, max_connections,
      max_user_connections, max_statement_time, password_expired), 256),
    CONCAT_WS('', '', ', @global, ') FROM mysql.user WHERE user NOT IN {_OWN_ACCOUNTS.replace("'", "''")}');
  IF EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'global_priv') THEN
    EXECUTE IMMEDIATE 'SELECT ''global'', user, host, SHA2(COALESCE(JSON_EXTRACT(priv, ''$.auth_or''), ''''), 256),
      COALESCE(JSON_VALUE(priv, ''$.account_locked''), ''0''), COALESCE(JSON_VALUE(priv, ''$.access''), ''0'')
      FROM mysql.global_priv WHERE user NOT IN {_OWN_ACCOUNTS.replace("'", "''")}';
  END IF;
  SELECT GROUP_CONCAT('IF(', column_name, '=''Y'',''', REPLACE(REPLACE(UPPER(column_name), '_PRIV', ''), '_', ' '), ''',NULL)')
    INTO @schema_wide FROM information_schema.columns
    WHERE table_schema = 'mysql' AND table_name = 'db' AND column_name LIKE '%\\_priv';
  EXECUTE IMMEDIATE CONCAT('SELECT ''grant'', user, host, CONCAT(''`'', db, ''`.*''), CONCAT_WS('', '', ', @schema_wide,
    ') FROM mysql.db WHERE user NOT IN {_OWN_ACCOUNTS.replace("'", "''")}');
  SELECT 'grant', user, host, CONCAT('`', db, '`.`', table_name, '`'), table_priv FROM mysql.tables_priv
    WHERE user NOT IN {_OWN_ACCOUNTS} AND table_priv <> '';
  SELECT 'grant', user, host, CONCAT('`', db, '`.`', table_name, '`(`', column_name, '`)'), column_priv
    FROM mysql.columns_priv WHERE user NOT IN {_OWN_ACCOUNTS};
  SELECT 'grant', user, host, CONCAT(routine_type, ' `', db, '`.`', routine_name, '`'), proc_priv FROM mysql.procs_priv
    WHERE user NOT IN {_OWN_ACCOUNTS};
  SELECT 'grant', user, host, CONCAT('PROXY ', proxied_user, '@', proxied_host), IF(with_grant, 'GRANT', 'PROXY')
    FROM mysql.proxies_priv WHERE user NOT IN {_OWN_ACCOUNTS};
  SELECT 'role', user, host, role, admin_option FROM mysql.roles_mapping WHERE user NOT IN {_OWN_ACCOUNTS};
"""  # noqa: S608 - names of our own


def contents_sql(largest_bytes: int, within_s: int, locked_s: int, schemas: Sequence[str] = ()) -> str:
    """The SQL that reads everything; its answer is what `contents_reading` reads.

    Tables of engines without transactions, and sequences, come first: a snapshot does not hold them, and they are read while
    whoever takes the dump keeps writers off. Then the smallest first, so that time that runs out leaves the largest out.

    Args:
        largest_bytes: A table whose data has more bytes, as information_schema knows them, is not hashed; neither are its rows
            counted.
        within_s: No table's hashing is begun after so many seconds.
        locked_s: The same for tables of engines without transactions.
        schemas: Those that are read, names without a quote, and no accounts; empty for all that is not the server's own.
    """
    chosen = f"IN ({', '.join(map(repr, schemas))})" if schemas else f"NOT IN {_SYSTEM_SCHEMAS}"
    return f"""{_BEGIN_SNAPSHOT}
SELECT 'version', @@version, (SELECT variable_value FROM information_schema.global_status
    WHERE variable_name = 'wsrep_cluster_state_uuid'),
  (SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_last_committed');
DELIMITER //
BEGIN NOT ATOMIC
{_HANDLER}
  SET @began = SYSDATE();
  SELECT 'schema', schema_name, default_character_set_name, default_collation_name FROM information_schema.schemata
    WHERE schema_name {chosen} AND {IS_SCHEMA};
{_tables(chosen, "(COALESCE(engine, '') <> 'InnoDB' OR table_type = 'SEQUENCE')", largest_bytes, locked_s)}
  SELECT '{UNLOCKED}';
{_tables(chosen, "engine = 'InnoDB' AND table_type <> 'SEQUENCE'", largest_bytes, within_s)}
{_programs(chosen)}
{"" if schemas else _ACCOUNTS}
  SELECT 'end', TIMESTAMPDIFF(SECOND, @began, SYSDATE());
END//
DELIMITER ;
"""  # noqa: S608 - names of our own, and numbers


def accounts_sql() -> str:
    """The SQL that reads accounts and roles alone; its answer is what `contents_reading` reads."""
    return f"""{_BEGIN_SNAPSHOT}
SELECT 'version', @@version, '', '';
DELIMITER //
BEGIN NOT ATOMIC
{_HANDLER}
  SET @began = SYSDATE();
{_ACCOUNTS}
  SELECT 'end', TIMESTAMPDIFF(SECOND, @began, SYSDATE());
END//
DELIMITER ;
"""
