-- Tables with odd names, keys and options, some with rows, for what the hazards print.
CREATE SCHEMA odd;
CREATE TABLE odd."Big ""Order""" (
    "Id" uuid PRIMARY KEY, "From" int DEFAULT 0, "to:b" text, n int NOT NULL DEFAULT 1, tags text[], u int
);
INSERT INTO odd."Big ""Order"""
SELECT md5(n::text)::uuid, n, 'text ' || n, n, '{}', n FROM generate_series(1, 5) n;
CREATE TABLE odd.pairs (a int, b int, c text, d int CHECK (d > 0) UNIQUE, PRIMARY KEY (a, b));
CREATE TABLE odd.keyless (k int, "M" int);
CREATE MATERIALIZED VIEW odd.counts AS SELECT count(*) FROM odd.pairs;
