# Run as root on a controller, in the directory for the dump, with: root_password
# What the role backup_and_restore does. Its pipefail is outside the container, where no pipe is.
set -o pipefail
container=$(podman ps -a | grep galera | awk '{print $1}')
podman exec "$container" bash -c "mysql -uroot -p$root_password -s -N \
  -e \"SELECT CONCAT('\\\"SHOW GRANTS FOR ''',user,'''@''',host,''';\\\"') \
  FROM mysql.user where (length(user) > 0 and user NOT LIKE 'root')\" | xargs -n1 mysql \
  -uroot -p$root_password -s -N -e | sed 's/$/;/' " > openstack-backup-mysql-grants.sql
podman exec "$container" bash -c "mysql -uroot -p$root_password -s -N \
  -e \"select distinct table_schema from information_schema.tables \
  where engine='innodb' and table_schema != 'mysql';\" | xargs mysqldump -uroot \
  -p$root_password --single-transaction --databases" > openstack-backup-mysql.sql
