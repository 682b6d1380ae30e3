# Run as root on a controller, in the directory for the dump, with: dump
set -euo pipefail
container=$(podman container ls --format "{{.Names}}" --filter=name=galera-bundle)
podman exec "$container" mysqldump -uroot --opt --all-databases > "$dump"
