# Run as root on a controller, in the directory for the dump: what operators of OSP 16 are told to run.
# No pipefail on purpose: that is how it is documented, and what it hides has to show.
container=$(podman container ls --all --format "{{.Names}}" --filter=name=galera-bundle)
podman exec "$container" bash -c "mysql -u root -s -N -e \"select distinct table_schema from information_schema.tables \
  where engine='innodb' and table_schema != 'mysql';\" | xargs mysqldump -u root --single-transaction --databases" \
  > openstack_database.sql
podman exec "$container" bash -c "mysql -u root -s -N -e \"SELECT CONCAT('\\\"SHOW GRANTS FOR ''',user,'''@''',host,''';\\\"') \
  FROM mysql.user where (length(user) > 0 and user NOT LIKE 'root')\" | xargs -n1 mysql -u root -s -N -e | sed 's/\$/;/'" \
  > grants.sql
