-- What the example revisions find: a shop whose tables are all large and busy.
CREATE TYPE state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN email AS text;
CREATE TABLE customers (
    id int GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_customers PRIMARY KEY,
    name text NOT NULL, address email, nickname varchar(100), credit numeric(12, 4), nothing text
);
CREATE TABLE orders (
    id int GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_orders PRIMARY KEY,
    customer_id int, number int NOT NULL, total int, state state NOT NULL DEFAULT 'new', placed timestamptz
);
CREATE INDEX ix_orders_customer_id ON orders (customer_id);
CREATE TABLE visits (at date NOT NULL, page text) PARTITION BY RANGE (at);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW paid AS SELECT id FROM orders WHERE state = 'paid';
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1;
CREATE UNIQUE INDEX by_customer ON totals (customer_id);
CREATE TABLE archive (LIKE orders);
CREATE FUNCTION tax(n int) RETURNS int LANGUAGE sql AS 'SELECT n / 5';
