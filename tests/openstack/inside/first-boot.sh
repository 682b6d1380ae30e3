#!/bin/bash
# Makes the services' databases. Runs as root on the controller with its standard input from the caller:
# variables `databases`, `database_password` and `admin_password`, `keystone_url` and `region`.
set -euo pipefail
log=/var/log/first-boot
mkdir -p "$log"
systemctl start --no-block rabbitmq-server memcached provider-network
systemctl start mariadb
{
  for name in $databases; do echo "CREATE DATABASE $name CHARACTER SET utf8mb3;"; done
  for host in 127.0.0.1 localhost; do
    echo "GRANT ALL ON *.* TO openstack@'$host' IDENTIFIED BY '$database_password';"
  done
} | mariadb

# Each in a process of its own; two processors are kept busy for about half a minute.
declare -A made
make_database() { # NAME COMMAND...
  local name=$1
  shift
  "$@" > "$log/$name" 2>&1 &
  made[$name]=$!
}
nova() {
  nova-manage api_db sync && nova-manage cell_v2 map_cell0 && nova-manage db sync &&
    nova-manage cell_v2 create_cell --name cell1
}
keystone() {
  keystone-manage db_sync &&
    keystone-manage fernet_setup --keystone-user root --keystone-group root &&
    keystone-manage credential_setup --keystone-user root --keystone-group root &&
    OS_BOOTSTRAP_PASSWORD=$admin_password keystone-manage bootstrap --bootstrap-region-id "$region" \
      --bootstrap-public-url "$keystone_url" --bootstrap-internal-url "$keystone_url" \
      --bootstrap-admin-url "$keystone_url"
}
ml2=/etc/neutron/plugins/ml2/ml2_conf.ini
mkdir -p /var/lib/gnocchi/{coordination,tmp,measure} /var/lib/glance/images
make_database keystone keystone
make_database nova nova
make_database neutron neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file "$ml2" upgrade heads
make_database heat heat-manage db_sync
make_database octavia octavia-db-manage upgrade head
make_database aodh aodh-dbsync
make_database gnocchi gnocchi-upgrade
make_database glance glance-manage db_sync
make_database placement placement-manage db sync
for name in "${!made[@]}"; do
  wait "${made[$name]}" || { echo "$name: exit code $?" >&2; tail -n 20 "$log/$name" >&2; exit 1; }
done
