"""The inputs as they should be; each holds what no error may show."""

from __future__ import annotations

from tests.unit.cloud_api import PASSWORD

SECRET = PASSWORD

TEMPLATE = """heat_template_version: 2018-08-31
description: A group behind a policy in each direction.
parameters:
  flavor: {type: string, default: m1.nano}
  most: {type: number, default: 3, constraints: [{range: {min: 1}}]}
  kind:
    type: string
    default: OS::Nova::Server
  released: {type: string, default: 2031-12-24}
  zones: {type: comma_delimited_list, default: [a, b]}
conditions:
  wide: {equals: [{get_param: most}, 3]}
resources:
  group:
    type: OS::Heat::AutoScalingGroup
    properties:
      min_size: 1
      max_size: {get_param: most}
      cooldown: 60
      resource:
        type: {get_param: kind}
        properties: {flavor: {get_param: flavor}, user_data: {get_file: boot.sh}}
  bigger:
    type: OS::Heat::ScalingPolicy
    condition: wide
    properties: {adjustment_type: change_in_capacity, auto_scaling_group_id: {get_resource: group}, scaling_adjustment: 1}
  inner:
    type: member.yaml
outputs:
  size: {value: {get_attr: [group, current_size]}}
"""
TEMPLATE_JSON = """{
\t"AWSTemplateFormatVersion": "2010-09-09",
\t"Parameters": {"Most": {"Type": "Number", "Default": "3"}, "Admin": {"Type": "String", "NoEcho": "true"}},
\t"Resources": {
\t\t"Group": {
\t\t\t"Type": "OS::Heat::AutoScalingGroup",
\t\t\t"Properties": {"min_size": 1, "max_size": {"Ref": "Most"}, "resource": {"type": "OS::Nova::Server"}}
\t\t}
\t}
}"""
MEMBER = """heat_template_version: 2018-08-31
resources:
  server: {type: OS::Nova::Server, properties: {flavor: m1.nano}}
"""
ENVIRONMENT = f"""parameter_merge_strategies:
  zones: merge
parameters:
  flavor: m1.tiny
  released: 2031-12-24
parameter_defaults:
  zones: [c, d]
  labels: {{"team": "web"}}
  admin_password: "{SECRET}"
event_sinks:
  - {{type: zaqar-queue, target: events, ttl: 1200}}
resource_registry:
  "My::Server": member.yaml
  "OS::Quantum*": "OS::Neutron*"
  resources:
    group:
      hooks: [pre-create, pre-update]
    "*":
      "My::Other": OS::Heat::None
"""
POLLING = """---
# what is polled, and how often
sources:
    - name: some_pollsters
      interval: 300
      meters:
        - cpu
        - "memory.usage"
        - network.incoming.bytes
    - name: volumes
      interval: 3600
      meters: [volume.size, "volume.snapshot.*"]
      resources:
        - file:///etc/resources
"""
INVENTORY = f"""Undercloud:
  hosts:
    undercloud: {{}}
  vars:
    ansible_connection: local
    ansible_host: localhost
    overcloud_admin_password: {SECRET}
Controller:
  hosts:
    controller-0: {{ansible_host: 192.168.24.11, ctlplane_ip: 192.168.24.11}}
    controller-1: {{ansible_host: 192.168.24.12}}
    controller-2: {{ansible_host: 192.168.24.13}}
  vars: {{ansible_ssh_user: heat-admin}}
overcloud:
  children:
    Controller: {{}}
mysql:
  children:
    Controller: {{}}
"""
GRANTS = """CREATE USER 'nova'@'%' IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B';
GRANT ALL PRIVILEGES ON `nova`.* TO 'nova'@'%';
GRANT SELECT, INSERT (id, name), UPDATE ON `keystone`.`user` TO `key_stone`@`172.16.2.%` WITH GRANT OPTION;
CREATE ROLE 'auditor';
GRANT 'auditor' TO 'nova'@'%';
SET DEFAULT ROLE 'auditor' FOR 'nova'@'%';
GRANT USAGE ON *.* TO 'root'@'localhost' IDENTIFIED VIA mysql_native_password USING '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B';
FLUSH PRIVILEGES;
"""
