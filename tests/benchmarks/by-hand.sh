#!/bin/bash
# Section 4.4, "Restoring the Galera cluster manually", as an operator types it: the documented commands, one ssh each,
# one controller after the other. Lines with "not as documented" have the smallest change that makes them work on
# MariaDB 10.11, or over ssh without a terminal; the waits are those without which the next command fails.
#
# Usage: by-hand.sh USER KEY KNOWN_HOSTS DUMP GRANTS ADDRESS ADDRESS ADDRESS
set -euo pipefail
user=$1 key=$2 known_hosts=$3 BACKUP_FILE=${4##*/} BACKUP_GRANT_FILE=${5##*/} from=${4%/*}
hosts=("${@:6}")
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
step() { echo "[$((SECONDS - T0)) s] step $1"; }
galera='$(sudo podman container ls --all --format "{{ .Names }}" --filter=name=galera-bundle)'
clustercheck="sudo podman exec $galera bash -c \"clustercheck\""

step 1
MYSQL_VIP=$(first 'sudo hiera -c /etc/puppet/hiera.yaml mysql_vip')
step 2
all "sudo iptables -I INPUT  -p tcp --destination-port 3306 -d $MYSQL_VIP  -j DROP"
step 3
ROOTPASSWORD=$(first 'sudo hiera -c /etc/puppet/hiera.yaml mysql::server::root_password')
step 4
first 'sudo pcs resource unmanage galera-bundle'
step 5
all "sudo podman container stop $galera"
step 6
all 'sudo mv /var/lib/mysql /var/lib/mysql-save'
step 7
all 'sudo mkdir /var/lib/mysql'
all 'sudo chown 42434:42434 /var/lib/mysql'
all 'sudo chcon -t container_file_t /var/lib/mysql'
all 'sudo chmod 0755 /var/lib/mysql'
all 'sudo chcon -r object_r /var/lib/mysql'
all 'sudo chcon -u system_u /var/lib/mysql'
step 8
all "sudo podman container start $galera"
step 9
all "sudo podman exec -i $galera bash -c \"mysql_install_db --datadir=/var/lib/mysql --user=mysql \
  --log_error=/var/log/mysql/mysql_init.log\"" > /dev/null
step 10
# Not as documented: without the redirections ssh would wait for the server's end.
all "sudo podman exec $galera bash -c \"mysqld_safe --skip-networking --wsrep-on=OFF \
  --log-error=/var/log/mysql/mysql_safe.log\" > /dev/null 2>&1 < /dev/null &"
for host in "${hosts[@]}"; do
  until_on "$host" "sudo podman exec $galera mysqladmin --no-defaults -S /var/lib/mysql/mysql.sock ping"
done
step 11
all "sudo podman exec $galera bash -c \"mv /root/.my.cnf /root/.my.cnf.bck\""
step 12
# Not as documented: `update user set password=` fails from MariaDB 10.4 on, where mysql.user is a view.
all "sudo podman exec $galera bash -c \"mysql -uroot -e'ALTER USER root@localhost IDENTIFIED BY \\\"$ROOTPASSWORD\\\"'\""
step 13
all "sudo podman exec $galera bash -c \"mv /root/.my.cnf.bck /root/.my.cnf\""
step 14
first "sudo cp $from/$BACKUP_FILE /var/lib/mysql"
first "sudo cp $from/$BACKUP_GRANT_FILE /var/lib/mysql"
step 15
first "sudo podman exec $galera bash -c \"mysql -u root -p$ROOTPASSWORD < \\\"/var/lib/mysql/$BACKUP_FILE\\\"  \""
first "sudo podman exec $galera bash -c \"mysql -u root -p$ROOTPASSWORD < \\\"/var/lib/mysql/$BACKUP_GRANT_FILE\\\"  \""
step 16
all "sudo podman exec $galera bash -c \"mysqladmin shutdown\""
step 17
mysqld="/usr/bin/mysqld_safe --pid-file=/var/run/mysql/mysqld.pid --socket=/var/lib/mysql/mysql.sock \
  --datadir=/var/lib/mysql --log-error=/var/log/mysql/mysql_cluster.log  --user=mysql --open-files-limit=16384"
first "sudo podman exec $galera $mysqld --wsrep-cluster-address=gcomm:// > /dev/null 2>&1 < /dev/null &"
step 18
until_on "${hosts[0]}" "$clustercheck"
step 19
# Not as documented: podman's own words go to standard error, so that the address comes alone.
CLUSTER_ADDRESS=$(first "sudo podman exec $galera bash -c \"grep wsrep_cluster_address /etc/my.cnf.d/galera.cnf\" 2> /dev/null \
  | awk '{print \$3}'")
for host in "${hosts[@]:1}"; do
  step "20 on $host"
  on "$host" "sudo podman exec $galera $mysqld --wsrep-cluster-address=$CLUSTER_ADDRESS > /dev/null 2>&1 < /dev/null &"
  until_on "$host" "$clustercheck"
done
step 21
all "sudo podman exec $galera /usr/bin/mysqladmin -u root shutdown"
step 22
all "sudo iptables -D  INPUT  -p tcp --destination-port 3306 -d $MYSQL_VIP  -j DROP"
step 23
all "sudo podman container restart $galera"
step 24
all 'sudo podman container restart $(sudo podman container ls --all --format  "{{ .Names }}" --filter=name=clustercheck)'
step 25
first 'sudo pcs resource manage galera-bundle'
step verification
until_on "${hosts[0]}" "[ \$(sudo pcs status | grep -cE 'galera-bundle-[0-9].*(Promoted|Master) ') = ${#hosts[@]} ]"
for host in "${hosts[@]}"; do
  until_on "$host" 'sudo podman exec clustercheck /usr/bin/clustercheck'
done
step 'all done'
