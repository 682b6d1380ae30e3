"""The runbooks that set up ReaR, on the lab's hosts, with Debian's Ansible and ReaR and the vendor's role from PyPI."""
