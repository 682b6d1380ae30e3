# Run as root on a host for each container, with: name generated mount unit image
# Makes and starts it as TripleO does: kolla_start copies the folder that Puppet has generated, and becomes the command
# (tripleo-heat-templates, deployment/ceilometer/ceilometer-agent-compute-container-puppet.yaml). The unit is that of
# tripleo-ansible, roles/tripleo_container_manage/templates/systemd-service.j2.
set -euo pipefail
kolla=/var/lib/kolla/config_files
mkdir -p $kolla
echo '{"command": "/bin/bash /opt/agent/agent.sh /etc/ceilometer/polling.yaml /seen", "config_files": []}' > $kolla/$name.json
case $mount in
  folder) mounted=$generated:$kolla/src:ro ;;
  file) mounted=$generated/etc/ceilometer/polling.yaml:/etc/ceilometer/polling.yaml:ro ;;
esac
podman create --replace --name $name --conmon-pidfile=/var/run/$name.pid --net=host --user=root \
  --env=KOLLA_CONFIG_STRATEGY=COPY_ALWAYS --volume=$kolla/$name.json:$kolla/config.json:ro --volume=$mounted \
  --volume=/opt/agent:/opt/agent:ro "$image" > /dev/null
if [ $unit = no ]; then
  podman start $name > /dev/null
  exit
fi
cat > /etc/systemd/system/tripleo_$name.service <<UNIT
[Unit]
Description=$name container
[Service]
Restart=always
ExecStart=/usr/bin/podman start $name
ExecReload=/usr/bin/podman kill --signal HUP $name
ExecStop=/usr/bin/podman stop -t 10 $name
ExecStopPost=/usr/bin/podman stop -t 10 $name
SuccessExitStatus=137 142 143
KillMode=none
Type=forking
PIDFile=/var/run/$name.pid
UNIT
systemctl daemon-reload
systemctl start tripleo_$name.service
