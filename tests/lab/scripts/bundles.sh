# Run as root on one controller once the cluster is up, with: vip cluster_address host_map mysql_image haproxy_image
# promoted_max promoted unpromoted
# All resources go in with one push, so that the cluster computes one transition for them.
set -euo pipefail
cib=/root/lab-cib.xml
rm -f $cib
pcs cluster cib $cib
kolla=/var/lib/kolla/config_files
data=/var/lib/config-data/puppet-generated

# The lab has no power switch to fence with.
pcs -f $cib property set stonith-enabled=false
# The default of 20 s is how long a start waits for a coordinator which may still appear.
pcs -f $cib property set dc-deadtime=4s
pcs -f $cib resource bundle create galera-bundle \
  container podman image="$mysql_image" replicas=3 "$promoted_max"=3 network=host \
  options="--user=root --log-driver=k8s-file -e KOLLA_CONFIG_STRATEGY=COPY_ALWAYS" \
  run-command="/bin/bash /usr/local/bin/kolla_start" \
  network control-port=3123 \
  storage-map id=mysql-cfg-files source-dir=$kolla/mysql.json target-dir=$kolla/config.json options=ro \
  storage-map id=mysql-cfg-data source-dir=$data/mysql target-dir=$kolla/src options=ro \
  storage-map id=mysql-hosts source-dir=/etc/hosts target-dir=/etc/hosts options=ro \
  storage-map id=mysql-lib source-dir=/var/lib/mysql target-dir=/var/lib/mysql options=rw,z \
  storage-map id=mysql-log-mariadb source-dir=/var/log/mariadb target-dir=/var/log/mariadb options=rw,z \
  storage-map id=mysql-log source-dir=/var/log/containers/mysql target-dir=/var/log/mysql options=rw,z
# As in OSP, except for the monitors: the agent's 30 s between looks at an unpromoted node is what promotion waits for.
pcs -f $cib resource create galera ocf:heartbeat:galera additional_parameters='--open-files-limit=16384' \
  enable_creation=true wsrep_cluster_address="$cluster_address" cluster_host_map="$host_map" \
  log=/var/log/mysql/mysqld.log \
  op monitor interval=20s timeout=30s op monitor role="$promoted" interval=10s timeout=30s \
  op monitor role="$unpromoted" interval=3s timeout=30s op promote timeout=300s on-fail=block \
  meta container-attribute-target=host ordered=true bundle galera-bundle
pcs -f $cib resource create "ip-$vip" ocf:heartbeat:IPaddr2 ip="$vip" cidr_netmask=32 op monitor interval=10s timeout=20s
pcs -f $cib resource bundle create haproxy-bundle container podman image="$haproxy_image" replicas=3 network=host \
  options="--user=root --log-driver=k8s-file" run-command="/usr/sbin/haproxy -W -f /etc/haproxy/haproxy.cfg" \
  storage-map id=haproxy-cfg source-dir=$data/haproxy/etc/haproxy target-dir=/etc/haproxy options=ro
pcs -f $cib constraint order start "ip-$vip" then haproxy-bundle kind=Optional
pcs -f $cib constraint colocation add "ip-$vip" with haproxy-bundle
pcs cluster cib-push $cib
rm -f $cib
