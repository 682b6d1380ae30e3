"""Ansible on the undercloud: the inventory and the playbook of a role, their run, and what came of it on each host."""
