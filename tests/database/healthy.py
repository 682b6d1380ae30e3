"""What is unusual, and comes back whole: name → SQL, run in a schema of its own."""

HEALTHY = {
    "nothing": "",
    "an empty table": "CREATE TABLE t (a INT);",
    "text in several character sets": """
        CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1, b VARCHAR(9) CHARACTER SET utf8mb4, c CHAR(9) CHARACTER SET ucs2,
          d VARCHAR(9) CHARACTER SET utf16, e VARCHAR(9) CHARACTER SET cp1251, f VARCHAR(9) CHARACTER SET sjis,
          g TEXT CHARACTER SET utf8mb3, h VARCHAR(9) CHARACTER SET ascii, i VARCHAR(9) CHARACTER SET gbk);
        INSERT INTO t VALUES ('äöü€', '😀é', 'ü', '😀', 'Привет', 'テスト', 'Ωmega', 'plain', '中文');""",
    "a schema's and columns' own collations": """
        ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
        CREATE TABLE t (a VARCHAR(9) COLLATE utf8mb4_german2_ci, b VARCHAR(9) COLLATE utf8mb4_bin, UNIQUE (b));
        INSERT INTO t VALUES ('Straße', 'A'), ('STRASSE', 'a');""",
    "generated columns": """
        CREATE TABLE t (a INT, b INT AS (a * 2) VIRTUAL, c INT AS (a * 3) STORED, KEY (b));
        INSERT INTO t (a) VALUES (1), (2), (NULL);""",
    "a virtual column of today": "CREATE TABLE t (a INT, b DATETIME AS (NOW()) VIRTUAL); INSERT INTO t (a) VALUES (1);",
    "JSON": r"""
        CREATE TABLE t (j JSON, CHECK (JSON_VALID(j)));
        INSERT INTO t VALUES ('{"a": "\\\\n ü", "b": [1, 2.50, null]}'), ('[]'), (NULL);""",
    "geometry": """
        CREATE TABLE t (g GEOMETRY, p POINT NOT NULL, SPATIAL KEY (p)) ENGINE=Aria;
        INSERT INTO t VALUES (ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'), POINT(1.5, -2.25)), (NULL, POINT(0, 0));""",
    "bits and binary": """
        CREATE TABLE t (a BIT(1), b BIT(64), c BINARY(5), d VARBINARY(300), e BLOB);
        INSERT INTO t VALUES (b'1', 0xFFFFFFFFFFFFFFFF, 'ab', 0x00FF275C0A0D1A22, 0x005C00), (b'0', 0, '', '', ''),
          (NULL, NULL, NULL, NULL, NULL);""",
    "floats": """
        CREATE TABLE t (f FLOAT, d DOUBLE, n DECIMAL(65,30), g FLOAT(7,4));
        INSERT INTO t VALUES (3.14159265358979, 3.14159265358979, 3.14159265358979, 3.14159), (1e38, 1.7976931348623157e308, 0, 0),
          (1.17549e-38, 2.2250738585072014e-308, -1, -1), (1/3, 1/3e0, 1/3, 1/3), (-0e0, -0e0, -0, -0),
          (16777217, 9007199254740993, 1, 1),
          (0.1 + 0.2, 0.1e0 + 0.2e0, 0.3, 0.3);""",
    "dates that are none": """
        SET sql_mode = '';
        CREATE TABLE t (a DATE, b DATETIME(6), c TIME(3), d YEAR, e TIMESTAMP NULL);
        INSERT INTO t VALUES ('0000-00-00', '0000-00-00 00:00:00', '-838:59:59.999', 0, '0000-00-00 00:00:00'),
          ('2020-02-00', '9999-12-31 23:59:59.999999', '838:59:59', 2155, '2038-01-19 03:14:07');""",
    "times in another zone": """
        SET time_zone = '+05:30';
        CREATE TABLE t (a TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), b DATETIME);
        INSERT INTO t VALUES ('2020-03-29 02:30:00', '2020-03-29 02:30:00'), ('2020-10-25 02:30:00.5', '2020-10-25 02:30:00');""",
    "a blob of 20 MiB": "CREATE TABLE t (a LONGBLOB, b LONGTEXT);"
    "INSERT INTO t VALUES (REPEAT(0x00FF, 10485760), REPEAT('ü', 5000000));",
    "a system-versioned table": """
        CREATE TABLE t (a INT) WITH SYSTEM VERSIONING; INSERT INTO t VALUES (1), (2); UPDATE t SET a = 3 WHERE a = 1;""",
    "a system-versioned table with columns of its own": """
        CREATE TABLE t (a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END,
          PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING; INSERT INTO t (a) VALUES (1);""",
    "partitions": """
        CREATE TABLE t (a INT, b VARCHAR(9)) PARTITION BY RANGE (a)
          (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
        INSERT INTO t VALUES (1, 'x'), (99, 'y');
        CREATE TABLE h (a INT) PARTITION BY HASH (a) PARTITIONS 3; INSERT INTO h SELECT seq FROM seq_1_to_20;""",
    "odd names": """
        CREATE TABLE `a table` (`a column` INT, `back``tick` INT, `ünï` INT, `select` INT, `it's "quoted"` INT, `back\\slash` INT);
        INSERT INTO `a table` VALUES (1, 2, 3, 4, 5, 6);
        CREATE TABLE `back``tick` (a INT); CREATE TABLE `表` (a INT, KEY `схема` (a));
        CREATE VIEW `a view` AS SELECT * FROM `a table`;
        CREATE PROCEDURE `a procedure`() SELECT 1; CREATE TRIGGER `tri gger` BEFORE INSERT ON `表` FOR EACH ROW SET NEW.a = 1;
        CREATE SEQUENCE `a sequence`; CREATE EVENT `an event` ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01' DO SELECT 1;""",
    "names that differ in case and accents": """
        CREATE TABLE T (a INT); CREATE TABLE t (b VARCHAR(9)); CREATE TABLE `tä` (c INT); CREATE TABLE ta (d INT);
        INSERT INTO T VALUES (1); INSERT INTO t VALUES ('x'); INSERT INTO `tä` VALUES (2); INSERT INTO ta VALUES (3);""",
    "enum and set": """
        SET sql_mode = '';
        CREATE TABLE t (e ENUM('', 'a', 'b,c'), s SET('x', 'y z', 'ü'));
        INSERT INTO t VALUES ('a', 'x,ü'), ('none', ''), (NULL, NULL);""",
    "engines": """
        CREATE TABLE a (a INT) ENGINE=Aria TRANSACTIONAL=1; CREATE TABLE m (a INT, FULLTEXT (b), b TEXT) ENGINE=MyISAM;
        CREATE TABLE c (a INT NOT NULL) ENGINE=CSV; INSERT INTO a VALUES (1); INSERT INTO m VALUES (1, 'some words');
        INSERT INTO c VALUES (1);""",
    "addresses, UUIDs and vectors, where the server has them": """
        CREATE TABLE t (i INET6 /*M!100700 , u UUID */ /*M!110700 , v VECTOR(3) */);
        INSERT INTO t (i) VALUES ('2001:db8::1'), (NULL);
        /*M!100700 INSERT INTO t (u) VALUES ('123e4567-e89b-12d3-a456-426655440000') */;
        /*M!110700 INSERT INTO t (v) VALUES (VEC_FromText('[1.5, -2, 0.1]')) */;""",
    "columns that are invisible, compressed, or have an expression as default": """
        CREATE TABLE t (a INT INVISIBLE DEFAULT 5, b TEXT COMPRESSED, c DATETIME DEFAULT (NOW() + INTERVAL 1 DAY), d INT);
        INSERT INTO t (a, b, c, d) VALUES (7, REPEAT('x', 500), '2020-01-01', 1);""",
    "a counter that is ahead": "CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 500;"
    "INSERT INTO t VALUES (0), (0); DELETE FROM t;",
    "sequences": """
        CREATE SEQUENCE up START WITH 10 INCREMENT BY 10 CACHE 5;
        CREATE SEQUENCE down INCREMENT BY -1 MAXVALUE 100 START WITH 50 CYCLE;
        DO NEXTVAL(up), NEXTVAL(up), NEXTVAL(down);""",
    "views of views, and of what comes later": """
        CREATE TABLE z (a INT); CREATE VIEW b AS SELECT a FROM z WHERE a > 1 WITH CHECK OPTION; CREATE VIEW a AS SELECT a FROM b;
        CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW c AS SELECT 'ü' AS t;""",
    "routines of several SQL modes": r"""
        SET sql_mode = 'ANSI_QUOTES'; CREATE FUNCTION f() RETURNS INT RETURN (SELECT 1 AS "x"); SET sql_mode = '';
        CREATE PROCEDURE p() COMMENT 'a\nb' SELECT 'line
        break', "tab\t", 'back\\slash';""",
    "several triggers of one moment": """
        CREATE TABLE t (a INT); CREATE TRIGGER two BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 2;
        CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW PRECEDES two SET NEW.a = 1;""",
    "rows that are the same": "CREATE TABLE t (a INT, b TEXT); INSERT INTO t SELECT 1, 'x' FROM seq_1_to_100;",
    "many columns": "SET @c = (SELECT GROUP_CONCAT('c', seq, ' INT DEFAULT ', seq) FROM seq_1_to_900);"
    "EXECUTE IMMEDIATE CONCAT('CREATE TABLE t (', @c, ')'); INSERT INTO t () VALUES (), ();",
    "foreign keys in a ring": """
        SET foreign_key_checks = 0;
        CREATE TABLE a (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES b (id));
        CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id));
        INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);""",
}
