# Run as root on each controller, with the variables below set by the caller:
# name address vip root_password clustercheck_password cluster_address image
# Writes what the deployment would have written, and makes the node's first database.
set -euo pipefail
generated=/var/lib/config-data/puppet-generated

mkdir -p $generated/mysql/{root,etc/my.cnf.d,etc/sysconfig} $generated/haproxy/etc/haproxy \
  $generated/clustercheck/etc/xinetd.d /var/lib/kolla/config_files /var/log/containers/{mysql,haproxy} \
  /var/log/mariadb /etc/puppet/hieradata
install -d -m 755 -o 42434 -g 42434 /var/lib/mysql /var/log/containers/mysql /var/log/mariadb
chcon -t container_file_t /var/lib/mysql

install -m 600 /dev/null $generated/mysql/root/.my.cnf
printf '[client]\nuser=root\npassword="%s"\n\n[mysqladmin]\nuser=root\npassword="%s"\n' \
  "$root_password" "$root_password" > $generated/mysql/root/.my.cnf
cat > $generated/mysql/etc/my.cnf.d/galera.cnf <<EOF
[mysqld]
bind-address = $address
binlog_format = ROW
datadir = /var/lib/mysql
default-storage-engine = innodb
innodb_autoinc_lock_mode = 2
innodb_buffer_pool_size = 256M
innodb_log_file_size = 48M
log-error = /var/log/mysql/mysqld.log
max_connections = 512
pid-file = /var/lib/mysql/mariadb.pid
port = 3306
query_cache_size = 0
query_cache_type = 0
skip-name-resolve = 1
socket = /var/lib/mysql/mysql.sock
user = mysql
wsrep_auto_increment_control = 1
wsrep_causal_reads = 0
wsrep_certify_nonPK = 1
wsrep_cluster_address = $cluster_address
wsrep_cluster_name = galera_cluster
wsrep_node_address = $address
wsrep_node_name = $name.internalapi.localdomain
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_provider_options = gcache.size=64M;gcache.recover=no;gmcast.listen_addr=tcp://$address:4567;
wsrep_retry_autocommit = 1
wsrep_slave_threads = 1
wsrep_sst_method = rsync

[mysqld_safe]
log-error = /var/log/mysql/mysqld.log
nice = 0
pid-file = /var/lib/mysql/mariadb.pid
socket = /var/lib/mysql/mysql.sock
EOF
install -m 600 /dev/null $generated/mysql/etc/sysconfig/clustercheck
printf 'MYSQL_USERNAME=clustercheck\nMYSQL_PASSWORD="%s"\nMYSQL_HOST=localhost\nTRIPLEO_SSL=0\n' \
  "$clustercheck_password" > $generated/mysql/etc/sysconfig/clustercheck
echo '{"command": "/usr/sbin/pacemaker_remoted", "config_files": []}' > /var/lib/kolla/config_files/mysql.json

cat > /etc/puppet/hiera.yaml <<'EOF'
---
:backends:
  - yaml
:yaml:
  :datadir: /etc/puppet/hieradata
:hierarchy:
  - service_configs
  - vip_data
EOF
printf -- '---\nmysql_vip: %s\n' "$vip" > /etc/puppet/hieradata/vip_data.yaml
install -m 600 /dev/null /etc/puppet/hieradata/service_configs.yaml
printf -- '---\nmysql::server::root_password: %s\ntripleo::profile::pacemaker::database::mysql::bind_address: %s\n' \
  "$root_password" "$name.internalapi.localdomain" > /etc/puppet/hieradata/service_configs.yaml

{
  cat <<EOF
global
  maxconn 4096
  stats socket /var/lib/haproxy/stats mode 600 level user

defaults
  maxconn 4096
  mode tcp
  retries 3
  timeout connect 10s
  timeout client 2m
  timeout server 2m
  timeout check 10s

listen mysql
  bind $vip:3306 transparent
  option tcpka
  option httpchk
  stick on dst
  stick-table type ip size 1000
  timeout client 90m
  timeout server 90m
EOF
  for index in 0 1 2; do
    echo "  server controller-$index.internalapi.localdomain 192.168.24.1$((index + 1)):3306 backup check" \
      "inter 1s on-marked-down shutdown-sessions port 9200"
  done
} > $generated/haproxy/etc/haproxy/haproxy.cfg
cat > $generated/clustercheck/etc/xinetd.d/galera-monitor <<'EOF'
service galera-monitor
{
  port = 9200
  disable = no
  socket_type = stream
  protocol = tcp
  wait = no
  user = root
  group = root
  server = /usr/bin/clustercheck
  type = UNLISTED
  per_source = UNLIMITED
  log_on_success =
  log_on_failure = HOST
  flags = REUSE
}
EOF
podman create --name clustercheck --net=host --user=root --conmon-pidfile=/var/run/clustercheck.pid \
  -v /var/lib/mysql:/var/lib/mysql \
  -v $generated/mysql/etc/sysconfig/clustercheck:/etc/sysconfig/clustercheck:ro \
  -v $generated/clustercheck/etc/xinetd.d:/etc/xinetd.d:ro \
  "$image" /usr/sbin/xinetd -dontfork -stayalive > /dev/null
cat > /etc/systemd/system/tripleo_clustercheck.service <<'EOF'
[Unit]
Description=clustercheck container
After=network.target
[Service]
Restart=always
ExecStart=/usr/bin/podman start clustercheck
ExecReload=/usr/bin/podman kill --signal HUP clustercheck
ExecStop=/usr/bin/podman stop -t 10 clustercheck
KillMode=none
Type=forking
PIDFile=/var/run/clustercheck.pid
[Install]
WantedBy=multi-user.target
EOF
systemctl enable -q --now tripleo_clustercheck.service

podman run --rm -i --net=none --hostname="$name" --user=root -v /var/lib/mysql:/var/lib/mysql \
  -v /var/log/containers/mysql:/var/log/mysql -v $generated/mysql/etc/my.cnf.d:/etc/my.cnf.d:ro \
  "$image" bash -euo pipefail -s <<EOF
mysql_install_db --datadir=/var/lib/mysql --user=mysql --skip-test-db > /tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
mysqld_safe --skip-networking --wsrep-on=OFF > /dev/null 2>&1 &
for attempt in {1..150}; do
  if mysqladmin -uroot ping > /dev/null 2>&1; then break; fi
  sleep 0.2
done
mysql -uroot <<'SQL'
ALTER USER root@localhost IDENTIFIED BY '$root_password';
CREATE USER root@'%' IDENTIFIED BY '$root_password';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE USER clustercheck@localhost IDENTIFIED BY '$clustercheck_password';
GRANT PROCESS ON *.* TO clustercheck@localhost;
DROP USER IF EXISTS ''@localhost, ''@'$name', root@'$name', root@'127.0.0.1', root@'::1';
SQL
MYSQL_PWD='$root_password' mysqladmin -uroot shutdown
wait
EOF
