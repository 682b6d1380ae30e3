# Run as root on the undercloud, with the variables below set by the caller:
# address root_password keystone_password image sql
# Writes what the deployment of the undercloud would have written: hiera, the database's container and configuration, some
# services, each with a unit as TripleO writes them, a health check's timer, and one container that no unit knows.
set -euo pipefail
generated=/var/lib/config-data/puppet-generated

mkdir -p $generated/mysql/{root,etc/my.cnf.d} /var/lib/kolla/config_files /etc/puppet/hieradata
install -d -m 755 -o 42434 -g 42434 /var/lib/mysql /var/log/containers/mysql
chcon -t container_file_t /var/lib/mysql

install -m 600 /dev/null $generated/mysql/root/.my.cnf
printf '[client]\nuser=root\npassword="%s"\n\n[mysqladmin]\nuser=root\npassword="%s"\n' \
  "$root_password" "$root_password" > $generated/mysql/root/.my.cnf
cat > $generated/mysql/etc/my.cnf.d/mariadb-server.cnf <<EOF
[mysqld]
bind-address = $address
datadir = /var/lib/mysql
innodb_buffer_pool_size = 64M
log-error = /var/log/mysql/mariadb.log
pid-file = /var/run/mysql/mariadb.pid
port = 3306
socket = /var/lib/mysql/mysql.sock
user = mysql
EOF
echo '{"command": "/usr/libexec/mysqld", "config_files": []}' > /var/lib/kolla/config_files/mysql.json
cat > /etc/puppet/hiera.yaml <<'EOF'
---
:backends:
  - yaml
:yaml:
  :datadir: /etc/puppet/hieradata
:hierarchy:
  - service_configs
EOF
install -m 600 /dev/null /etc/puppet/hieradata/service_configs.yaml
printf -- '---\nmysql::server::root_password: %s\n' "$root_password" > /etc/puppet/hieradata/service_configs.yaml

unit() {
  cat > "/etc/systemd/system/tripleo_$1.service" <<EOF
[Unit]
Description=$1 container
After=network.target
[Service]
Restart=always
ExecStart=/usr/bin/podman start $1
ExecReload=/usr/bin/podman kill --signal HUP $1
ExecStop=/usr/bin/podman stop -t 10 $1
KillMode=none
Type=forking
PIDFile=/var/run/$1.pid
[Install]
WantedBy=multi-user.target
EOF
}
podman create --name mysql --net=host --user=root --conmon-pidfile=/var/run/mysql.pid -e KOLLA_CONFIG_STRATEGY=COPY_ALWAYS \
  -v /var/lib/kolla/config_files/mysql.json:/var/lib/kolla/config_files/config.json:ro \
  -v $generated/mysql:/var/lib/kolla/config_files/src:ro -v /var/lib/mysql:/var/lib/mysql \
  -v /var/log/containers/mysql:/var/log/mysql "$image" /bin/bash /usr/local/bin/kolla_start > /dev/null
unit mysql
# shellcheck disable=SC2016
loop='trap "exit 0" TERM; while :; do sleep 60 & wait $!; done'
for service in keystone ironic_api ironic_conductor heat_engine; do
  podman create --name "$service" --net=none --conmon-pidfile="/var/run/$service.pid" "$image" bash -c "$loop" > /dev/null
  unit "$service"
done
cat > /etc/systemd/system/tripleo_keystone_healthcheck.service <<'EOF'
[Unit]
Description=keystone healthcheck
Requisite=tripleo_keystone.service
[Service]
Type=oneshot
ExecStart=/usr/bin/podman exec keystone true
EOF
cat > /etc/systemd/system/tripleo_keystone_healthcheck.timer <<'EOF'
[Unit]
Description=keystone container healthcheck
PartOf=tripleo_keystone.service
[Timer]
OnActiveSec=20
OnUnitActiveSec=20
[Install]
WantedBy=timers.target
EOF
# As the DHCP agent starts its dnsmasq; a unit of the lab's own stands in for the agent.
podman create --name neutron-dnsmasq --net=none "$image" bash -c "$loop" > /dev/null
cat > /etc/systemd/system/lab-neutron-dnsmasq.service <<'EOF'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/podman start neutron-dnsmasq
[Install]
WantedBy=multi-user.target
EOF

# The SQL has semicolons and quotes of its own: it goes in as a file.
install -m 600 /dev/null /var/lib/mysql/undercloud.sql
cat > /var/lib/mysql/undercloud.sql <<EOF
$sql
CREATE USER keystone@'%' IDENTIFIED BY '$keystone_password';
GRANT ALL ON keystone.* TO keystone@'%';
CREATE USER root@'%' IDENTIFIED BY '$root_password';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
DROP USER IF EXISTS ''@localhost;
ALTER USER root@localhost IDENTIFIED BY '$root_password';
EOF
podman run --rm -i --net=none --user=root -v /var/lib/mysql:/var/lib/mysql "$image" bash -euo pipefail -s <<'EOF'
mysql_install_db --datadir=/var/lib/mysql --user=mysql --skip-test-db > /tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
mysqld_safe --skip-networking > /dev/null 2>&1 &
for attempt in {1..150}; do
  if mysqladmin -uroot ping > /dev/null 2>&1; then break; fi
  sleep 0.2
done
mysql -uroot < /var/lib/mysql/undercloud.sql
kill "$(cat /var/lib/mysql/*.pid)"
wait
EOF
rm /var/lib/mysql/undercloud.sql
systemctl daemon-reload
systemctl enable -q --now tripleo_{mysql,keystone,ironic_api,ironic_conductor,heat_engine}.service \
  tripleo_keystone_healthcheck.timer lab-neutron-dnsmasq.service
