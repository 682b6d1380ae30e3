# Run as root on a controller, in the directory for the dump, with: dump grants
# Every schema that is not the server's own with everything in it, and every account and role but root.
set -euo pipefail
container=$(podman container ls --format "{{.Names}}" --filter=name=galera-bundle)
podman exec -i "$container" bash -euo pipefail -s > "$dump.new" <<'EOF'
mapfile -t schemas < <(mysql -uroot -NBe "SELECT schema_name FROM information_schema.schemata
  WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY schema_name")
exec mysqldump -uroot --single-transaction --routines --events --triggers --databases "${schemas[@]}"
EOF
tail -n 1 "$dump.new" | grep -q '^-- Dump completed'
podman exec -i "$container" bash -euo pipefail -s > "$grants.new" <<'EOF'
sql() { mysql -uroot --raw -NBe "$1"; }
mapfile -t roles < <(sql "SELECT user FROM mysql.user WHERE is_role = 'Y' AND user <> 'PUBLIC' ORDER BY user")
mapfile -t accounts < <(sql "SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user
  WHERE is_role = 'N' AND user NOT IN ('', 'root', 'mariadb.sys') ORDER BY user, host")
for role in "${roles[@]}"; do echo "CREATE OR REPLACE ROLE \`$role\`;"; done
shown=()
for account in "${accounts[@]}"; do
  if line=$(sql "SHOW CREATE USER $account" 2>/dev/null); then
    shown+=("$account")
    echo "${line/#CREATE USER/CREATE OR REPLACE USER};"
  else
    # With skip-name-resolve, a server that has been restarted passes over accounts at a host name: they are in its
    # tables, but SHOW does not find them (error 1133). So they are put together from the tables.
    sql "SELECT CONCAT(\"CREATE OR REPLACE USER $account IDENTIFIED BY PASSWORD \",
        QUOTE(JSON_VALUE(priv, '$.authentication_string')), ' WITH MAX_USER_CONNECTIONS ',
        COALESCE(JSON_VALUE(priv, '$.max_user_connections'), 0), ';')
      FROM mysql.global_priv WHERE CONCAT(QUOTE(user), '@', QUOTE(host)) = \"$account\""
    sql "SELECT CONCAT(\"GRANT ALL PRIVILEGES ON \`\", db, \"\`.* TO $account;\") FROM mysql.db
      WHERE CONCAT(QUOTE(user), '@', QUOTE(host)) = \"$account\""
  fi
done
for role in "${roles[@]}"; do sql "SHOW GRANTS FOR \`$role\`" | sed 's/$/;/'; done
for account in "${shown[@]}"; do sql "SHOW GRANTS FOR $account" | sed 's/$/;/'; done
EOF
mv "$dump.new" "$dump"
mv "$grants.new" "$grants"
