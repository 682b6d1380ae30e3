#!/bin/bash
# Section 4.5, "Restoring the undercloud node database manually", as an operator types it: the documented commands, one ssh
# each. Lines with "not as documented" have the smallest change that makes them work on MariaDB 10.11, or over ssh without a
# terminal; the wait is the one without which the next command fails.
#
# Usage: by-hand-undercloud.sh USER KEY KNOWN_HOSTS DUMP ADDRESS
set -euo pipefail
user=$1 key=$2 known_hosts=$3 dump=$4 address=$5
T0=$SECONDS

on() { # COMMAND
  ssh -F none -i "$key" -o "UserKnownHostsFile=\"$known_hosts\"" -o GlobalKnownHostsFile=/dev/null \
    -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes -o ControlMaster=no -o LogLevel=ERROR \
    "$user@$address" "$1" < /dev/null
}
step() { echo "[$((SECONDS - T0)) s] step $1"; }

step 2
on "sudo systemctl stop 'tripleo_*'"
step 3
for container in $(on "sudo podman ps --format '{{.Names}}'"); do on "sudo podman stop $container" > /dev/null; done
step 4
on 'sudo cp -a /var/lib/mysql /var/lib/mysql_bck'
on 'sudo rm -rf /var/lib/mysql'
step 5
on 'sudo mkdir /var/lib/mysql'
on 'sudo chown 42434:42434 /var/lib/mysql'
on 'sudo chmod 0755 /var/lib/mysql'
on 'sudo chcon -t container_file_t /var/lib/mysql'
on 'sudo chcon -r object_r /var/lib/mysql'
on 'sudo chcon -u system_u /var/lib/mysql'
step 6
image=$(on "sudo podman images | grep mariadb | awk 'NR == 1 { print \$3 }'")
on "sudo podman tag $image mariadb"
step 7
# Not as documented, here and below: --rm and a name, so that it can be told afterwards what is to be removed.
on 'sudo podman run --rm --net=host -v /var/lib/mysql:/var/lib/mysql localhost/mariadb mysql_install_db --datadir=/var/lib/mysql \
  --user=mysql' > /dev/null
step 8
on "sudo cp $dump /var/lib/mysql"
step 9
on 'sudo podman run --rm --name by-hand --net=host -dt -v /var/lib/mysql:/var/lib/mysql localhost/mariadb /usr/libexec/mysqld \
  --user=mysql' > /dev/null
until on 'sudo podman exec by-hand mysqladmin --no-defaults -S /var/lib/mysql/mysql.sock ping' > /dev/null 2>&1; do
  if ((SECONDS - T0 > 600)); then echo "the database has not started" >&2; exit 1; fi
  sleep 0.5
done
step 10
# Not as documented: as root in the container, since root of the database logs in by the socket from MariaDB 10.4 on.
root='sudo podman exec --user root by-hand'
on "$root mysql -u root -S /var/lib/mysql/mysql.sock -e 'set global max_allowed_packet = 1073741824'"
on "$root bash -c 'mysql -u root -S /var/lib/mysql/mysql.sock < /var/lib/mysql/${dump##*/}'"
on "$root mysql -u root -S /var/lib/mysql/mysql.sock -e 'flush privileges'"
on 'sudo podman stop by-hand' > /dev/null
on 'sudo podman ps'
step 11
on 'sudo systemctl start multi-user.target'
step 'all done'
