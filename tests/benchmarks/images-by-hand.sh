#!/bin/bash
# Section 3.5, "Creating a backup of control plane nodes that use composable roles", in the order of its playbook, as somebody
# types it: everything is paused, the database is dumped, the whole cluster is stopped, one node after the other makes its image,
# and everything is started again. The waits are those without which the next command fails.
#
# Usage: images-by-hand.sh USER KEY KNOWN_HOSTS ADDRESS ADDRESS ADDRESS
set -euo pipefail
user=$1 key=$2 known_hosts=$3
hosts=("${@:4}")
T0=$SECONDS

on() { # HOST COMMAND
  ssh -F none -i "$key" -o "UserKnownHostsFile=\"$known_hosts\"" -o GlobalKnownHostsFile=/dev/null \
    -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes -o ControlMaster=no -o LogLevel=ERROR \
    "$user@$1" "$2" < /dev/null
}
first() { on "${hosts[0]}" "$1"; }
all() { for host in "${hosts[@]}"; do on "$host" "$1"; done; }
until_on() { # HOST COMMAND: type it again until it succeeds
  local deadline=$((SECONDS + 900))
  until on "$1" "$2" > /dev/null 2>&1; do
    if [ $SECONDS -gt $deadline ]; then echo "no success within 15 min on $1: $2" >&2; exit 1; fi
    sleep 0.5
  done
}
step() { echo "[$((SECONDS - T0)) s] $1"; }
galera='$(sudo podman container ls --format "{{ .Names }}" --filter=name=galera-bundle)'

step 'pause the containers'
# Not as documented: health checks are stopped, which would restart what is paused.
all "sudo systemctl stop 'tripleo_*_healthcheck.timer'"
all "for name in \$(sudo podman ps --format '{{.Names}}' | grep -vE 'galera|mysql|bundle'); do sudo podman pause \$name; done"
step 'dump the database'
ROOTPASSWORD=$(first 'sudo hiera -c /etc/puppet/hiera.yaml mysql::server::root_password')
first "sudo podman exec $galera bash -c \"mysql -uroot -p$ROOTPASSWORD -s -N -e \\\"select distinct table_schema from \
  information_schema.tables where engine='innodb' and table_schema != 'mysql';\\\" | xargs mysqldump -uroot -p$ROOTPASSWORD \
  --single-transaction --databases\" | sudo tee /root/openstack-backup-mysql.sql > /dev/null"
step 'back up the configuration of Pacemaker'
all 'cd /tmp && rm -f pacemaker_backup.tar.bz2 && sudo pcs config backup pacemaker_backup'
step 'stop the cluster'
first 'sudo pcs cluster stop --all'
for host in "${hosts[@]}"; do
  step "make the image of $host"
  on "$host" 'sudo rear -d -v mkbackup'
done
step 'start the cluster'
first 'sudo pcs cluster start --all'
step 'unpause the containers'
all "for name in \$(sudo podman ps -a --filter=status=paused --format '{{.Names}}'); do sudo podman unpause \$name; done"
all "sudo systemctl start --all 'tripleo_*_healthcheck.timer'"
step 'wait until Galera is promoted'
until_on "${hosts[0]}" "[ \$(sudo pcs status | grep -cE 'galera-bundle-[0-9].*(Promoted|Master) ') = ${#hosts[@]} ]"
for host in "${hosts[@]}"; do
  until_on "$host" 'sudo podman exec clustercheck /usr/bin/clustercheck'
done
all 'sudo rm -f /root/openstack-backup-mysql.sql /tmp/pacemaker_backup.tar.bz2'
step 'all done'
