-- A schema with every kind of object, for comparing it with itself. Needs a superuser.
CREATE EXTENSION citext;
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA "My Schema, too";
COMMENT ON SCHEMA "My Schema, too" IS 'names with capitals, spaces, a comma';

CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s happy');
CREATE DOMAIN price AS numeric(10, 2) DEFAULT 0 NOT NULL CONSTRAINT positive CHECK (VALUE >= 0);
CREATE DOMAIN word AS text COLLATE "C" CHECK (VALUE ~ '^[a-z]+$');
ALTER DOMAIN word ADD CONSTRAINT short CHECK (length(VALUE) < 20) NOT VALID;
COMMENT ON CONSTRAINT positive ON DOMAIN price IS 'nothing for less than nothing';
COMMENT ON CONSTRAINT price_not_null ON DOMAIN price IS 'nothing without a price';
CREATE TYPE address AS (street text COLLATE "C", "House No" integer);
COMMENT ON COLUMN address.street IS 'without the number';
CREATE FUNCTION seconds_between(a time, b time) RETURNS double precision LANGUAGE sql IMMUTABLE
    RETURN extract(epoch FROM (a - b));
CREATE TYPE timerange AS RANGE (subtype = time, subtype_diff = seconds_between, multirange_type_name = timeranges);
CREATE FUNCTION small_in(cstring) RETURNS small LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION small_out(small) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE small (INPUT = small_in, OUTPUT = small_out, LIKE = integer);
CREATE TYPE hollow;
CREATE TYPE nothing AS ENUM ();
CREATE COLLATION german (LOCALE = 'C');

CREATE SEQUENCE tickets AS smallint START 5 INCREMENT 3 MINVALUE 2 MAXVALUE 999 CACHE 4 CYCLE;
CREATE TABLE users (
    id integer GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY,
    email varchar(255) NOT NULL CONSTRAINT users_email_key UNIQUE DEFERRABLE INITIALLY DEFERRED,
    login citext,
    name text COLLATE "C" DEFAULT 'no one' NOT NULL,
    state varchar(10) CHECK (state IN ('new', 'old')),
    mood mood DEFAULT 'so so',
    price price,
    address address,
    born timestamptz DEFAULT '2020-02-03 04:05:06+09',
    waits interval DEFAULT '1 day 02:03:04',
    amount money DEFAULT '12.34',
    picture bytea DEFAULT '\x00ff',
    weight double precision DEFAULT 0.1,
    lower_name text GENERATED ALWAYS AS (lower(name)) STORED,
    tags text[] DEFAULT '{}',
    small small,
    CONSTRAINT users_price CHECK (price < 1000) NO INHERIT
);
ALTER TABLE users ADD CONSTRAINT users_weight CHECK (weight > 0) NOT VALID;
ALTER TABLE users ALTER name SET STORAGE EXTERNAL, ALTER email SET STATISTICS 500, ALTER tags SET (n_distinct = 7),
    ALTER picture SET COMPRESSION pglz;
ALTER TABLE users SET (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, REPLICA IDENTITY FULL;
CREATE INDEX users_name ON users (name text_pattern_ops DESC NULLS LAST, lower(email)) INCLUDE (mood)
    WITH (fillfactor = 50) WHERE state IN ('new', 'odd');
ALTER INDEX users_name ALTER COLUMN 2 SET STATISTICS 300;
CREATE UNIQUE INDEX users_mood ON users (mood, name) NULLS NOT DISTINCT;
CREATE INDEX users_tags ON users USING gin (tags);
CREATE INDEX users_id ON users USING hash (id);
CLUSTER users USING users_mood;
COMMENT ON TABLE users IS 'who "uses" it: 100%';
COMMENT ON COLUMN users.email IS 'where mail goes';
COMMENT ON INDEX users_name IS 'for searching';
COMMENT ON CONSTRAINT users_pkey ON users IS 'the key';
CREATE POLICY own ON users AS RESTRICTIVE FOR UPDATE TO pg_monitor USING (email IN ('a', 'b')) WITH CHECK (id > 0);
CREATE POLICY everyone ON users USING (true);

CREATE SEQUENCE numbers OWNED BY users.weight;
CREATE TABLE "Odd ""Name""" (
    "a, b" serial, "user" integer REFERENCES users ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE,
    during tsrange, EXCLUDE USING gist (during WITH &&), PRIMARY KEY ("a, b") WITH (fillfactor = 60)
);
ALTER TABLE "Odd ""Name""" ADD CONSTRAINT later FOREIGN KEY ("a, b") REFERENCES users (id) NOT VALID;
ALTER TABLE "Odd ""Name""" REPLICA IDENTITY USING INDEX "Odd ""Name""_pkey";
CREATE TABLE "My Schema, too"."Table" (LIKE users INCLUDING DEFAULTS);
CREATE TABLE "My Schema, too".alembic_version (version_num varchar(32) PRIMARY KEY);
CREATE TABLE "My Schema, too".migration_log (id serial, note text);
CREATE UNLOGGED TABLE fast (id bigserial, note text);
CREATE TABLE typed OF address (street WITH OPTIONS NOT NULL);

CREATE TABLE vehicle (id integer NOT NULL, wheels integer CHECK (wheels > 0));
CREATE TABLE car (doors integer, wheels integer DEFAULT 4) INHERITS (vehicle);
CREATE TABLE events (at date NOT NULL, kind text) PARTITION BY RANGE (at, lower(kind));
CREATE TABLE logs (at date NOT NULL, kind text NOT NULL, n integer, PRIMARY KEY (at, kind), CONSTRAINT logs_n_check CHECK (n > 0))
    PARTITION BY LIST (kind);
CREATE TABLE logs_a PARTITION OF logs FOR VALUES IN ('a', 'b') PARTITION BY HASH (at);
CREATE TABLE logs_a0 PARTITION OF logs_a FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE logs_rest PARTITION OF logs DEFAULT;
CREATE TABLE logs_c (n integer, at date NOT NULL, kind text NOT NULL, CONSTRAINT logs_n_check CHECK (n > 0));
ALTER TABLE logs ATTACH PARTITION logs_c FOR VALUES IN ('c');
CREATE INDEX logs_n ON logs (n);
CREATE TABLE log_notes (at date, kind text, note text, FOREIGN KEY (at, kind) REFERENCES logs);

CREATE VIEW young WITH (security_barrier) AS
    SELECT id, email, state FROM users WHERE state IN ('new', 'young') AND born > '2020-01-01 00:00:00+00'
    WITH LOCAL CHECK OPTION;
ALTER VIEW young ALTER COLUMN state SET DEFAULT 'new';
COMMENT ON COLUMN young.email IS 'as in users';
CREATE RECURSIVE VIEW counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 9;
CREATE MATERIALIZED VIEW totals WITH (fillfactor = 80) AS SELECT mood, count(*) FROM users GROUP BY mood;
CREATE UNIQUE INDEX totals_mood ON totals (mood);

CREATE FUNCTION add(a integer, b integer DEFAULT 2, OUT total integer) LANGUAGE plpgsql STABLE PARALLEL SAFE COST 7
    SET search_path = public AS $$
BEGIN
    total := a + b; -- 'quoted'
END
$$;
CREATE FUNCTION emails() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER ROWS 5
    BEGIN ATOMIC SELECT email FROM users WHERE state IN ('new'); END;
CREATE PROCEDURE clean(days integer) LANGUAGE sql AS 'DELETE FROM users WHERE id < days';
CREATE FUNCTION keep_sum(a bigint, b integer) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN coalesce(a, 0) + b;
CREATE AGGREGATE sum_of(integer) (SFUNC = keep_sum, STYPE = bigint, INITCOND = '0', PARALLEL = SAFE);
COMMENT ON FUNCTION add(integer, integer) IS 'adds';
CREATE FUNCTION same(address, address) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $1.street = $2.street;
CREATE OPERATOR === (FUNCTION = same, LEFTARG = address, RIGHTARG = address, COMMUTATOR = ===, RESTRICT = eqsel,
    JOIN = eqjoinsel, HASHES);
CREATE OPERATOR FAMILY plain USING btree;
CREATE OPERATOR CLASS reverse_int FOR TYPE integer USING btree FAMILY plain AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(integer, integer);
CREATE FUNCTION to_address(text) RETURNS address LANGUAGE sql IMMUTABLE RETURN ROW($1, 1)::address;
CREATE CAST (text AS address) WITH FUNCTION to_address(text) AS ASSIGNMENT;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER changed BEFORE UPDATE OF name ON users FOR EACH ROW
    WHEN (new.state IN ('new', 'old') AND old.name IS DISTINCT FROM new.name) EXECUTE FUNCTION stamp('x');
CREATE TRIGGER sleeping AFTER INSERT ON users EXECUTE FUNCTION stamp();
ALTER TABLE users DISABLE TRIGGER sleeping;
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION stamp();
CREATE TRIGGER logged AFTER INSERT ON logs FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE logs_rest DISABLE TRIGGER logged;
CREATE RULE no_delete AS ON DELETE TO typed WHERE old.street IN ('a', 'b') DO INSTEAD NOTHING;
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE VIEW', 'CREATE RULE') EXECUTE FUNCTION on_ddl();
ALTER EVENT TRIGGER watch DISABLE;

ALTER FUNCTION stamp() DEPENDS ON EXTENSION citext;
ALTER INDEX users_name DEPENDS ON EXTENSION citext;
ALTER TRIGGER changed ON users DEPENDS ON EXTENSION citext;
ALTER MATERIALIZED VIEW totals DEPENDS ON EXTENSION citext;

CREATE STATISTICS related (dependencies, ndistinct) ON mood, state, lower(email) FROM users;
ALTER STATISTICS related SET STATISTICS 200;
CREATE SERVER elsewhere TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', dbname 'd');
CREATE FOREIGN DATA WRAPPER wrapper OPTIONS (debug 'true');
CREATE FOREIGN TABLE remote (id integer OPTIONS (column_name 'no') NOT NULL, note text) SERVER elsewhere
    OPTIONS (table_name 'r');
CREATE PUBLICATION news FOR TABLE typed (street), log_notes WHERE (note > 'a')
    WITH (publish = 'insert, update');
CREATE PUBLICATION other FOR TABLES IN SCHEMA "My Schema, too";
CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION search (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION search ALTER MAPPING FOR asciiword WITH plain_words, simple;
CREATE TEXT SEARCH TEMPLATE a_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH PARSER a_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
    LEXTYPES = prsd_lextype);
CREATE CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE ACCESS METHOD rows TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE on_rows (id integer) USING rows;

GRANT SELECT, UPDATE ON users TO pg_monitor WITH GRANT OPTION;
GRANT SELECT (during) ON "Odd ""Name""" TO pg_monitor;
GRANT USAGE ON SEQUENCE tickets TO PUBLIC;
SET ROLE pg_monitor; GRANT UPDATE ON users TO pg_signal_backend; RESET ROLE;
REVOKE EXECUTE ON FUNCTION add FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION citext_eq(citext, citext) FROM PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO pg_monitor;
ALTER TABLE vehicle OWNER TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
