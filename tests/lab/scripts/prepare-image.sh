#!/bin/bash
# prepare-image.sh ROOT HOST : shapes a Debian root filesystem like the mariadb image of OSP 16.1
# (user id 42434, /etc/my.cnf, kolla_start, clustercheck, pacemaker_remoted). Runs from outside.
# HOST is the root filesystem of the hosts, of the same release.
set -euo pipefail
root=$1 host=$2

chroot "$root" groupmod -g 42434 mysql
chroot "$root" usermod -u 42434 -g 42434 -d /var/lib/mysql -s /bin/bash mysql
rm -rf "$root/var/lib/mysql" "$root/etc/mysql" "$root"/etc/my.cnf* "$root/usr/lib/mysql/plugin/auth_pam_tool_dir"
install -d "$root/etc/my.cnf.d" "$root/usr/libexec" "$root/var/lib/kolla/config_files"
install -d -o 42434 -g 42434 "$root/var/lib/mysql" "$root/var/log/mysql" "$root/run/mysql"
# MariaDB 10.3 makes root@localhost with an empty password; 10.4 and later use unix_socket unless told.
cat > "$root/etc/my.cnf" <<'EOF'
[client]
socket = /var/lib/mysql/mysql.sock

[mysqld]
datadir = /var/lib/mysql
socket = /var/lib/mysql/mysql.sock

[mysql_install_db]
auth-root-authentication-method = normal

!includedir /etc/my.cnf.d
EOF
ln -sf /usr/sbin/mariadbd "$root/usr/libexec/mysqld"
ln -sf /usr/sbin/mariadbd "$root/usr/libexec/mariadbd"

# The resource agent needs it. Debian 11 has it in a package that excludes the one with pacemaker_remoted.
if [ ! -e "$root/usr/sbin/crm_attribute" ]; then install -m 755 "$host/usr/sbin/crm_attribute" "$root/usr/sbin/"; fi
# Pacemaker 3 has it under a new name only.
if [ ! -e "$root/usr/sbin/pacemaker_remoted" ]; then ln -s pacemaker-remoted "$root/usr/sbin/pacemaker_remoted"; fi

# Debian patches the resource agent's default paths; these are the upstream ones, which Red Hat's package has.
sed -i -e 's|^\(\s*OCF_RESKEY_config_default=\)"/etc/mysql/my.cnf"|\1"/etc/my.cnf"|' \
  -e 's|^\(\s*OCF_RESKEY_pid_default=\)"/var/run/mysqld/mysqld.pid"|\1"/var/run/mysql/mysqld.pid"|' \
  -e 's|^\(\s*OCF_RESKEY_socket_default=\)"/var/run/mysqld/mysqld.sock"|\1"/var/lib/mysql/mysql.sock"|' \
  "$root/usr/lib/ocf/lib/heartbeat/mysql-common.sh"
grep -q '"/var/run/mysql/mysqld.pid"' "$root/usr/lib/ocf/lib/heartbeat/mysql-common.sh"

cat > "$root/usr/local/bin/kolla_start" <<'EOF'
#!/bin/bash
# What kolla_start does here: copy the configuration, then become the command.
set -o errexit
files=/var/lib/kolla/config_files
if [ -d "$files/src" ]; then cp -a "$files/src/." /; fi
install -d -o 42434 -g 42434 /var/run/mysql /var/log/mysql
command=$(sed -n 's/.*"command": *"\([^"]*\)".*/\1/p' "$files/config.json")
echo "INFO:kolla_start:Running command: '$command'"
exec $command
EOF
cat > "$root/usr/bin/clustercheck" <<'EOF'
#!/bin/bash
# Same behaviour and messages as the clustercheck of OSP's image.
if [ -f /etc/sysconfig/clustercheck ]; then . /etc/sysconfig/clustercheck; fi
# Started by xinetd: the request is read first, and the answer gets a moment, or the close becomes a reset.
if [ -S /dev/stdin ]; then while IFS= read -t 1 -r line && [ "${line%$'\r'}" ]; do :; done; fi
export MYSQL_PWD=${MYSQL_PASSWORD-}
state=$(timeout 10 mysql --no-defaults --socket=/var/lib/mysql/mysql.sock --connect-timeout=10 \
  --user="${MYSQL_USERNAME-clustercheck}" --host="${MYSQL_HOST:-localhost}" -N -B \
  -e "SHOW STATUS LIKE 'wsrep_local_state'" 2>/dev/null | awk '{print $2}')
if [ "$state" = 4 ]; then status='200 OK' body='Galera cluster node is synced.' code=0
else status='503 Service Unavailable' body='Galera cluster node is not synced.' code=1; fi
printf 'HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\r\n' \
  "$status" $((${#body} + 2)) "$body"
sleep 0.1
exit $code
EOF
chmod 755 "$root/usr/local/bin/kolla_start" "$root/usr/bin/clustercheck"
# With the host's network the container shares its abstract sockets, so Pacemaker inside and outside would collide.
install -d "$root/etc/libqb"
touch "$root/etc/libqb/force-filesystem-sockets"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root/usr/share/doc" "$root/usr/share/man" \
  "$root/usr/share/locale"
