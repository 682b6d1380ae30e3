# Run as root on a host for each container, with: name folder unit image
# Makes and starts it as kolla-ansible does with podman: the folder is mounted, and kolla_start.sh copies from it what config.json
# says. The unit is that of kolla-ansible, module_utils/kolla_systemd_worker.py.
set -euo pipefail
podman create --replace --name $name --net=host --user=root --env=KOLLA_CONFIG_STRATEGY=COPY_ALWAYS \
  --volume=$folder/:/var/lib/kolla/config_files/:ro --volume=/opt/agent:/opt/agent:ro "$image" \
  /bin/bash /opt/agent/kolla_start.sh > /dev/null
if [ $unit = no ]; then
  podman start $name > /dev/null
  exit
fi
cat > /etc/systemd/system/kolla-$name-container.service <<UNIT
[Unit]
Description=podman kolla-$name-container.service
[Service]
ExecStart=/usr/bin/podman start -a $name
ExecStop=/usr/bin/podman stop $name -t 60
Restart=always
RestartSec=11
SuccessExitStatus=143
UNIT
systemctl daemon-reload
systemctl start kolla-$name-container.service
