"""What runs on a control plane node besides its databases: podman, Pacemaker, the firewall, hiera."""
