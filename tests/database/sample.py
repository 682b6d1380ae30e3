"""A little of everything that a dump can lose."""

SAMPLE = r"""
CREATE DATABASE nova CHARACTER SET utf8mb4;
USE nova;
CREATE TABLE instances (
  id INT AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL, host VARCHAR(255), vcpus INT CHECK (vcpus > 0), at DATETIME,
  UNIQUE KEY ix_uuid (uuid), KEY ix_host (host), CONSTRAINT few_vcpus CHECK (vcpus < 100)) ENGINE=InnoDB;
CREATE TABLE faults (
  id INT AUTO_INCREMENT PRIMARY KEY, instance_id INT, message TEXT,
  CONSTRAINT fault_of_instance FOREIGN KEY (instance_id) REFERENCES instances (id)) ENGINE=InnoDB;
CREATE TABLE notes (note VARCHAR(20), number INT) ENGINE=InnoDB;
INSERT INTO instances (uuid, host, vcpus, at)
  SELECT CONCAT('uuid-', seq), CONCAT('compute-', seq % 3), 1 + seq % 8, '2020-07-10' + INTERVAL seq SECOND FROM seq_1_to_300;
INSERT INTO faults (instance_id, message) SELECT seq, CONCAT('fault ', seq) FROM seq_1_to_20;
INSERT INTO notes VALUES ('same', 1), ('same', 1), ('', 2), (NULL, 3), ('left', 4), ('right', 5);
CREATE VIEW active AS SELECT uuid, host FROM instances;
CREATE FUNCTION vcpus_of(of_host VARCHAR(255)) RETURNS INT READS SQL DATA
  RETURN (SELECT SUM(vcpus) FROM instances WHERE host = of_host);
CREATE PROCEDURE archive() DELETE FROM faults;
CREATE EVENT purge_faults ON SCHEDULE EVERY 1 DAY STARTS '2020-07-01 03:00:00' DO DELETE FROM nova.faults;
CREATE TRIGGER count_up BEFORE INSERT ON notes FOR EACH ROW SET NEW.number = NEW.number + 1;
CREATE SEQUENCE ticket START WITH 100 NOCACHE;
DO NEXTVAL(ticket);
SET sql_mode = 'ORACLE';
DELIMITER //
CREATE PACKAGE tools AS PROCEDURE nothing; END//
CREATE PACKAGE BODY tools AS PROCEDURE nothing AS BEGIN NULL; END; END//
DELIMITER ;
SET sql_mode = DEFAULT;
CREATE DATABASE only_views;
CREATE VIEW only_views.hosts AS SELECT host, COUNT(*) AS n FROM nova.instances GROUP BY host;
CREATE DATABASE legacy;
CREATE TABLE legacy.invoices (id INT PRIMARY KEY, amount DECIMAL(10,2)) ENGINE=Aria;
CREATE TABLE legacy.rates (id INT PRIMARY KEY, hourly DECIMAL(10,2)) ENGINE=MyISAM;
INSERT INTO legacy.invoices SELECT seq, seq / 3 FROM seq_1_to_50;
INSERT INTO legacy.rates VALUES (1, 0.5);
CREATE DATABASE nothing_in_it;
CREATE ROLE reader;
CREATE ROLE auditor;
GRANT SELECT ON nova.* TO reader;
GRANT reader TO auditor WITH ADMIN OPTION;
CREATE USER 'nova'@'%' IDENTIFIED BY 'nova-password' WITH MAX_USER_CONNECTIONS 100;
CREATE USER 'nova'@'ctl-0.example.com' IDENTIFIED BY 'nova-password' WITH MAX_USER_CONNECTIONS 20;
CREATE USER 'locked'@'192.168.24.%' IDENTIFIED BY 'x' REQUIRE SSL ACCOUNT LOCK;
GRANT ALL ON nova.* TO 'nova'@'%' WITH GRANT OPTION;
GRANT ALL ON nova.* TO 'nova'@'ctl-0.example.com';
GRANT SELECT (uuid, host), UPDATE ON nova.instances TO 'locked'@'192.168.24.%';
GRANT EXECUTE ON PROCEDURE nova.archive TO 'locked'@'192.168.24.%';
GRANT PROCESS ON *.* TO 'locked'@'192.168.24.%';
GRANT reader TO 'nova'@'%';
SET DEFAULT ROLE reader FOR 'nova'@'%';
"""
