-- Databases shaped like an undercloud's, in little, with one of each kind of object that a dump can lose. Run once, as root.

CREATE DATABASE keystone CHARACTER SET utf8;
-- The sequences are looked up in the current schema.
USE keystone;
CREATE TABLE keystone.project (
  id VARCHAR(64) PRIMARY KEY, name VARCHAR(64) NOT NULL, extra TEXT, enabled TINYINT(1)) ENGINE=InnoDB;
CREATE TABLE keystone.revocation_event (
  id INT AUTO_INCREMENT PRIMARY KEY, user_id VARCHAR(64), revoked_at DATETIME NOT NULL) ENGINE=InnoDB;
INSERT INTO keystone.project SELECT MD5(seq), CONCAT('Übungsprojekt ', seq), '{"quoted": "\\"x\\""}', 1 FROM seq_1_to_50;
INSERT INTO keystone.revocation_event (user_id, revoked_at) SELECT MD5(seq), '2020-07-02' FROM seq_1_to_200;
CREATE EVENT keystone.purge_revocations ON SCHEDULE EVERY 1 DAY STARTS '2020-07-01 03:00:00'
  DO DELETE FROM keystone.revocation_event WHERE revoked_at < NOW() - INTERVAL 1 DAY;

CREATE DATABASE ironic CHARACTER SET utf8;
CREATE TABLE ironic.nodes (
  id INT AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(255), provision_state VARCHAR(15),
  power_state VARCHAR(15), driver_info LONGTEXT) ENGINE=InnoDB;
CREATE TABLE ironic.ports (
  id INT AUTO_INCREMENT PRIMARY KEY, address VARCHAR(18), node_id INT NOT NULL,
  CONSTRAINT port_of_node FOREIGN KEY (node_id) REFERENCES ironic.nodes (id)) ENGINE=InnoDB;
CREATE TABLE ironic.node_history (id INT AUTO_INCREMENT PRIMARY KEY, node_id INT, what VARCHAR(32)) ENGINE=InnoDB;
INSERT INTO ironic.nodes (uuid, name, provision_state, power_state, driver_info)
  SELECT UUID(), CONCAT('node-', seq), 'active', 'power on', '{}' FROM seq_1_to_12;
INSERT INTO ironic.ports (address, node_id) SELECT CONCAT('52:54:00:00:00:', LPAD(HEX(id), 2, '0')), id FROM ironic.nodes;
CREATE VIEW ironic.active_nodes AS SELECT uuid, name FROM ironic.nodes WHERE provision_state = 'active';
CREATE TRIGGER ironic.log_node AFTER INSERT ON ironic.nodes FOR EACH ROW
  INSERT INTO ironic.node_history (node_id, what) VALUES (NEW.id, 'enrolled');
CREATE FUNCTION ironic.nodes_in(state VARCHAR(15)) RETURNS INT READS SQL DATA
  RETURN (SELECT COUNT(*) FROM ironic.nodes WHERE provision_state = state);

CREATE DATABASE heat CHARACTER SET utf8;
CREATE TABLE heat.stack (id VARCHAR(36) PRIMARY KEY, name VARCHAR(255), status VARCHAR(255)) ENGINE=InnoDB;
CREATE TABLE heat.raw_template (id INT AUTO_INCREMENT PRIMARY KEY, template LONGTEXT) ENGINE=InnoDB;
INSERT INTO heat.stack SELECT UUID(), CONCAT('overcloud-', seq), 'COMPLETE' FROM seq_1_to_3;
INSERT INTO heat.raw_template (template) SELECT REPEAT(MD5(seq), 32) FROM seq_1_to_1000;
CREATE PROCEDURE heat.purge(IN before_id INT) DELETE FROM heat.raw_template WHERE id < before_id;
