-- Databases shaped like an overcloud's: the services' own tables in little, with rows, and one of each kind of object
-- that a dump can lose. Run once, as root, through the cluster.

CREATE DATABASE keystone CHARACTER SET utf8;
-- The sequences are looked up in the current schema.
USE keystone;
CREATE TABLE keystone.project (
  id VARCHAR(64) PRIMARY KEY, name VARCHAR(64) NOT NULL, extra TEXT, description TEXT, enabled TINYINT(1),
  domain_id VARCHAR(64) NOT NULL, parent_id VARCHAR(64), is_domain TINYINT(1) NOT NULL DEFAULT 0,
  UNIQUE KEY ixu_project_name_domain_id (domain_id, name)) ENGINE=InnoDB;
CREATE TABLE keystone.user (
  id VARCHAR(64) PRIMARY KEY, extra TEXT, enabled TINYINT(1), default_project_id VARCHAR(64), created_at DATETIME,
  last_active_at DATE, domain_id VARCHAR(64) NOT NULL, KEY (default_project_id)) ENGINE=InnoDB;
CREATE TABLE keystone.endpoint (
  id VARCHAR(64) PRIMARY KEY, interface VARCHAR(8) NOT NULL, service_id VARCHAR(64) NOT NULL, url TEXT NOT NULL,
  enabled TINYINT(1) NOT NULL DEFAULT 1) ENGINE=InnoDB;
CREATE TABLE keystone.revocation_event (
  id INT AUTO_INCREMENT PRIMARY KEY, user_id VARCHAR(64), issued_before DATETIME NOT NULL, revoked_at DATETIME NOT NULL,
  KEY (revoked_at)) ENGINE=InnoDB;
INSERT INTO keystone.project SELECT MD5(seq), CONCAT('project-', seq), '{}', CONCAT('Übungsprojekt ', seq, ' "quoted" \\ ''x'''),
  1, 'default', 'default', 0 FROM seq_1_to_200;
INSERT INTO keystone.user SELECT MD5(CONCAT('u', seq)), '{"email": "user@example.com"}', 1, MD5(1 + seq % 200),
  '2020-07-01 10:00:00' + INTERVAL seq MINUTE, '2020-08-01', 'default' FROM seq_1_to_1000;
INSERT INTO keystone.endpoint SELECT MD5(CONCAT('e', seq)), ELT(1 + seq % 3, 'public', 'internal', 'admin'), MD5(seq DIV 3),
  CONCAT('http://192.168.24.100:', 5000 + seq), 1 FROM seq_1_to_30;
INSERT INTO keystone.revocation_event (user_id, issued_before, revoked_at)
  SELECT MD5(CONCAT('u', seq)), '2020-07-02', '2020-07-02' FROM seq_1_to_500;
CREATE EVENT keystone.purge_revocations ON SCHEDULE EVERY 1 DAY STARTS '2020-07-01 03:00:00'
  DO DELETE FROM keystone.revocation_event WHERE revoked_at < NOW() - INTERVAL 1 DAY;

CREATE DATABASE nova_api CHARACTER SET utf8;
CREATE TABLE nova_api.cell_mappings (
  id INT AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(255), transport_url TEXT,
  database_connection TEXT, disabled TINYINT(1) DEFAULT 0) ENGINE=InnoDB;
CREATE TABLE nova_api.flavors (
  id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, memory_mb INT NOT NULL, vcpus INT NOT NULL,
  root_gb INT, flavorid VARCHAR(255) NOT NULL UNIQUE) ENGINE=InnoDB;
INSERT INTO nova_api.cell_mappings (uuid, name, transport_url, database_connection) VALUES
  ('00000000-0000-0000-0000-000000000000', 'cell0', 'none:///', '{scheme}://{username}:{password}@{hostname}/nova_cell0?{query}'),
  (UUID(), 'default', '{scheme}://{username}:{password}@{hostname}:{port}//?{query}', '{scheme}://{username}/nova?{query}');
INSERT INTO nova_api.flavors (name, memory_mb, vcpus, root_gb, flavorid)
  SELECT CONCAT('m1.', seq), 512 * seq, seq, 10 * seq, seq FROM seq_1_to_16;

CREATE DATABASE nova CHARACTER SET utf8;
CREATE TABLE nova.instances (
  id INT AUTO_INCREMENT PRIMARY KEY, created_at DATETIME, uuid VARCHAR(36) NOT NULL UNIQUE, display_name VARCHAR(255),
  host VARCHAR(255), vm_state VARCHAR(255), project_id VARCHAR(255), memory_mb INT, vcpus INT, launched_at DATETIME,
  KEY instances_project_id_idx (project_id)) ENGINE=InnoDB;
CREATE TABLE nova.instance_faults (
  id INT AUTO_INCREMENT PRIMARY KEY, instance_uuid VARCHAR(36), code INT NOT NULL, message VARCHAR(255),
  details MEDIUMTEXT, CONSTRAINT fault_of_instance FOREIGN KEY (instance_uuid) REFERENCES nova.instances (uuid)) ENGINE=InnoDB;
CREATE TABLE nova.instance_extra (
  id INT AUTO_INCREMENT PRIMARY KEY, instance_uuid VARCHAR(36) NOT NULL, flavor TEXT, KEY (instance_uuid)) ENGINE=InnoDB;
INSERT INTO nova.instances (created_at, uuid, display_name, host, vm_state, project_id, memory_mb, vcpus, launched_at)
  SELECT '2020-07-10' + INTERVAL seq SECOND, CONCAT(LPAD(HEX(seq), 8, '0'), '-aaaa-4bbb-8ccc-0123456789ab'),
  CONCAT('server-', seq), CONCAT('compute-', seq % 3, '.localdomain'), IF(seq % 9, 'active', 'error'), MD5(1 + seq % 200),
  2048, 2, '2020-07-10' + INTERVAL seq SECOND FROM seq_1_to_2000;
INSERT INTO nova.instance_faults (instance_uuid, code, message, details)
  SELECT uuid, 500, 'No valid host was found.', REPEAT('Traceback ', 20) FROM nova.instances WHERE vm_state = 'error';
CREATE VIEW nova.active_instances AS SELECT uuid, display_name, host FROM nova.instances WHERE vm_state = 'active';
CREATE FUNCTION nova.vcpus_of(project VARCHAR(255)) RETURNS INT READS SQL DATA
  RETURN (SELECT COALESCE(SUM(vcpus), 0) FROM nova.instances WHERE project_id = project);
DELIMITER //
CREATE PROCEDURE nova.archive_faults(IN before_id INT)
BEGIN
  DELETE FROM nova.instance_faults WHERE id < before_id;
  SELECT ROW_COUNT();
END//
DELIMITER ;

CREATE DATABASE neutron CHARACTER SET utf8;
CREATE TABLE neutron.networks (
  id VARCHAR(36) PRIMARY KEY, project_id VARCHAR(255), name VARCHAR(255), status VARCHAR(16), mtu INT NOT NULL DEFAULT 1500,
  revision INT NOT NULL DEFAULT 0) ENGINE=InnoDB;
CREATE TABLE neutron.ports (
  id VARCHAR(36) PRIMARY KEY, network_id VARCHAR(36) NOT NULL, mac_address VARCHAR(32) NOT NULL, device_id VARCHAR(255),
  status VARCHAR(16), UNIQUE KEY (network_id, mac_address), FOREIGN KEY (network_id) REFERENCES neutron.networks (id)) ENGINE=InnoDB;
CREATE TABLE neutron.provisioning_log (
  id INT AUTO_INCREMENT PRIMARY KEY, port_id VARCHAR(36), what VARCHAR(16), at DATETIME) ENGINE=InnoDB;
INSERT INTO neutron.networks SELECT CONCAT(LPAD(HEX(seq), 8, '0'), '-0000-4000-8000-000000000000'), MD5(seq),
  CONCAT('network-', seq), 'ACTIVE', 1450, 0 FROM seq_1_to_50;
INSERT INTO neutron.ports SELECT CONCAT(LPAD(HEX(seq), 8, '0'), '-1111-4111-8111-111111111111'),
  CONCAT(LPAD(HEX(1 + seq % 50), 8, '0'), '-0000-4000-8000-000000000000'),
  CONCAT('fa:16:3e:', LPAD(HEX(seq DIV 65536), 2, '0'), ':', LPAD(HEX(seq DIV 256 % 256), 2, '0'), ':', LPAD(HEX(seq % 256), 2, '0')),
  CONCAT('device-', seq), 'ACTIVE' FROM seq_1_to_3000;
CREATE TRIGGER neutron.log_new_port AFTER INSERT ON neutron.ports FOR EACH ROW
  INSERT INTO neutron.provisioning_log (port_id, what, at) VALUES (NEW.id, 'insert', NOW());
CREATE TRIGGER neutron.count_revision BEFORE UPDATE ON neutron.networks FOR EACH ROW SET NEW.revision = OLD.revision + 1;

CREATE DATABASE glance CHARACTER SET utf8;
CREATE TABLE glance.images (
  id VARCHAR(36) PRIMARY KEY, name VARCHAR(255), size BIGINT, status VARCHAR(30) NOT NULL, visibility VARCHAR(16),
  checksum VARCHAR(32), owner VARCHAR(255)) ENGINE=InnoDB;
CREATE TABLE glance.image_properties (
  id INT AUTO_INCREMENT PRIMARY KEY, image_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL, value TEXT,
  UNIQUE KEY (image_id, name), FOREIGN KEY (image_id) REFERENCES glance.images (id)) ENGINE=InnoDB;
CREATE TABLE glance.image_signatures (image_id VARCHAR(36) PRIMARY KEY, signature BLOB) ENGINE=InnoDB;
INSERT INTO glance.images SELECT CONCAT(LPAD(HEX(seq), 8, '0'), '-2222-4222-8222-222222222222'), CONCAT('rhel-8.', seq),
  1073741824 + seq, 'active', 'public', MD5(seq), MD5(1) FROM seq_1_to_40;
INSERT INTO glance.image_properties (image_id, name, value) SELECT id, 'os_distro', 'rhel' FROM glance.images;
INSERT INTO glance.image_signatures SELECT id, UNHEX(CONCAT('00FF0A0D27225C1A', SHA2(id, 512))) FROM glance.images;

CREATE DATABASE heat CHARACTER SET utf8;
CREATE TABLE heat.stack (
  id VARCHAR(36) PRIMARY KEY, name VARCHAR(255), action VARCHAR(255), status VARCHAR(255), raw_template_id INT NOT NULL) ENGINE=InnoDB;
CREATE TABLE heat.raw_template (id INT AUTO_INCREMENT PRIMARY KEY, template LONGTEXT, files TEXT) ENGINE=InnoDB;
INSERT INTO heat.raw_template (template, files) SELECT CONCAT('{"heat_template_version": "rocky", "n": ', seq, '}'), '{}' FROM seq_1_to_60;
INSERT INTO heat.stack SELECT UUID(), CONCAT('stack-', seq), 'CREATE', 'COMPLETE', seq FROM seq_1_to_60;

CREATE DATABASE cinder CHARACTER SET utf8;
CREATE TABLE cinder.volumes (
  id VARCHAR(36) PRIMARY KEY, size INT, status VARCHAR(255), attach_status VARCHAR(255), display_name VARCHAR(255),
  created_at DATETIME(6), metadata_size DECIMAL(12,3)) ENGINE=InnoDB;
CREATE TABLE cinder.snapshots (
  id VARCHAR(36) PRIMARY KEY, volume_id VARCHAR(36) NOT NULL, status VARCHAR(255),
  FOREIGN KEY (volume_id) REFERENCES cinder.volumes (id)) ENGINE=InnoDB;
CREATE TABLE cinder.volume_glance_metadata (
  id INT AUTO_INCREMENT PRIMARY KEY, volume_id VARCHAR(36), `key` VARCHAR(255), value TEXT) ENGINE=InnoDB;
INSERT INTO cinder.volumes SELECT CONCAT(LPAD(HEX(seq), 8, '0'), '-3333-4333-8333-333333333333'), 10, 'in-use', 'attached',
  CONCAT('volume-', seq), '2020-07-10 10:00:00.123456', seq / 7 FROM seq_1_to_800;
INSERT INTO cinder.snapshots SELECT UUID(), id, 'available' FROM cinder.volumes LIMIT 100;

CREATE DATABASE placement CHARACTER SET utf8;
CREATE TABLE placement.resource_providers (
  id INT AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(200), generation INT) ENGINE=InnoDB;
CREATE TABLE placement.allocations (
  id INT AUTO_INCREMENT PRIMARY KEY, resource_provider_id INT NOT NULL, consumer_id VARCHAR(36) NOT NULL,
  resource_class_id INT NOT NULL, used INT NOT NULL, KEY (consumer_id)) ENGINE=InnoDB;
INSERT INTO placement.resource_providers (uuid, name, generation)
  SELECT UUID(), CONCAT('compute-', seq - 1, '.localdomain'), seq FROM seq_1_to_3;
INSERT INTO placement.allocations (resource_provider_id, consumer_id, resource_class_id, used)
  SELECT 1 + id % 3, uuid, 0, vcpus FROM nova.instances;

-- A schema that has views and nothing else: no table of it has an engine.
CREATE DATABASE capacity_views CHARACTER SET utf8;
CREATE VIEW capacity_views.instances_per_host AS SELECT host, COUNT(*) AS instances, SUM(vcpus) AS vcpus FROM nova.instances GROUP BY host;
CREATE VIEW capacity_views.volumes_by_status AS SELECT status, COUNT(*) AS volumes FROM cinder.volumes GROUP BY status;

-- A schema that has no InnoDB table. Galera replicates the definition and not the rows: see databases.py.
CREATE DATABASE legacy_billing CHARACTER SET utf8;
CREATE TABLE legacy_billing.invoices (id INT PRIMARY KEY, project_id VARCHAR(64), amount DECIMAL(10,2)) ENGINE=Aria TRANSACTIONAL=1;
CREATE TABLE legacy_billing.rates (flavor VARCHAR(64) PRIMARY KEY, hourly DECIMAL(8,4)) ENGINE=Aria TRANSACTIONAL=1;
