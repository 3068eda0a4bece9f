-- What incremental.bats and its like need in a source database: changes of the shop as its
-- application makes them, and what the versions of every row should then be in a warehouse or a
-- lake. Nothing of this is in schema public, which is what gets extracted.

CREATE SCHEMA shop;

-- so many keys of a table, any
CREATE FUNCTION shop.some(rel regclass, n int) RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT %I FROM %s ORDER BY random() LIMIT %s', rel || '_id', rel, n);
END $$;

-- One round of changes; the same round on the same tables is always the same. The columns that
-- change in silence, last_updated left alone, are those that do so in the real shop, about as often.
CREATE PROCEDURE shop.change(round int) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setseed(round / 1000.0);
    UPDATE design SET file_location = '/r' || round WHERE design_id IN (SELECT shop.some('design', 12));
    UPDATE sales_order SET agreed_delivery_date = (agreed_delivery_date::date + 3)::text
     WHERE sales_order_id IN (SELECT shop.some('sales_order', 3));
    UPDATE sales_order SET agreed_delivery_location_id = 1 + agreed_delivery_location_id % 36
     WHERE sales_order_id IN (SELECT shop.some('sales_order', 3));
    UPDATE sales_order SET design_id = 1 + design_id % 8
     WHERE sales_order_id IN (SELECT shop.some('sales_order', 2));
    UPDATE sales_order SET staff_id = 1 + staff_id % 23
     WHERE sales_order_id IN (SELECT shop.some('sales_order', 2));
    UPDATE purchase_order SET item_code = item_code || 'x', staff_id = 1 + staff_id % 23
     WHERE purchase_order_id IN (SELECT shop.some('purchase_order', 2));
    UPDATE purchase_order SET agreed_delivery_date = (agreed_delivery_date::date + 1)::text,
           agreed_delivery_location_id = 1 + agreed_delivery_location_id % 36
     WHERE purchase_order_id IN (SELECT shop.some('purchase_order', 1));
    -- what other tables are joined with: a changed department is a change of its staff
    UPDATE department SET location = location || round
     WHERE department_id IN (SELECT shop.some('department', 1));
    UPDATE address SET phone = phone || round WHERE address_id IN (SELECT shop.some('address', 2));
    UPDATE currency SET currency_code = CASE currency_code WHEN 'USD' THEN 'CHF' ELSE 'USD' END
     WHERE currency_id = 2 AND round % 2 = 0;
    UPDATE staff SET department_id = 1 + department_id % 9
     WHERE staff_id IN (SELECT shop.some('staff', 1));
    UPDATE counterparty SET legal_address_id = 1 + legal_address_id % 36
     WHERE counterparty_id IN (SELECT shop.some('counterparty', 1));
    -- changes that are none to the star: a column it does not have, the same value once more,
    -- there and back
    UPDATE payment SET company_ac_number = round WHERE payment_id IN (SELECT shop.some('payment', 5));
    UPDATE sales_order SET units_sold = units_sold
     WHERE sales_order_id IN (SELECT shop.some('sales_order', 5));
    UPDATE sales_order SET units_sold = units_sold + 1 WHERE sales_order_id = 2;
    UPDATE sales_order SET units_sold = units_sold - 1 WHERE sales_order_id = 2;
    -- A, then B, then A again
    UPDATE sales_order SET units_sold = 10 + round % 2 WHERE sales_order_id = 1;
    -- many at once, with one and the same whole second
    UPDATE payment SET paid = NOT paid, last_updated = timestamp '2025-01-01' + round * interval '1 h'
     WHERE payment_id IN (SELECT shop.some('payment', 10));
    -- new rows of old parents, of new ones, with keys that come out of order and times long past
    INSERT INTO department (department_name, location) VALUES ('d' || round, NULL);
    INSERT INTO staff (first_name, last_name, department_id, email_address)
    VALUES ('new', 'of old', 1 + round % 8, 'a'),
           ('new', 'of new', (SELECT max(department_id) FROM department), 'b');
    INSERT INTO sales_order
    SELECT 900000 - round, created_at - interval '1 year', last_updated - interval '1 year', design_id,
           (SELECT max(staff_id) FROM staff), counterparty_id, units_sold, unit_price, currency_id,
           agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id
      FROM sales_order WHERE sales_order_id = 3;
END $$;

-- --- what should be ---

CREATE SCHEMA expected;

-- the star's tables; a warehouse numbers the versions of facts
CREATE TABLE expected.star (rel text, key text, surrogate text);
INSERT INTO expected.star VALUES
    ('dim_date', 'date_id', NULL),
    ('dim_staff', 'staff_id', NULL),
    ('dim_location', 'location_id', NULL),
    ('dim_currency', 'currency_id', NULL),
    ('dim_design', 'design_id', NULL),
    ('dim_counterparty', 'counterparty_id', NULL),
    ('dim_payment_type', 'payment_type_id', NULL),
    ('dim_transaction', 'transaction_id', NULL),
    ('fact_sales_order', 'sales_order_id', 'sales_record_id'),
    ('fact_purchase_order', 'purchase_order_id', 'purchase_record_id'),
    ('fact_payment', 'payment_id', 'payment_record_id');

CREATE TABLE expected.version (
    rel    text NOT NULL,
    key    text NOT NULL,
    n      int GENERATED ALWAYS AS IDENTITY,
    image  text NOT NULL);
CREATE INDEX ON expected.version (rel, key, n DESC);

-- a row as text, bit for bit, without the number that a warehouse gives it
CREATE FUNCTION expected.image(content jsonb) RETURNS text LANGUAGE sql IMMUTABLE
RETURN (content - '{sales_record_id,purchase_record_id,payment_record_id}'::text[])::text;

-- Take note of what a table holds now: rows that differ from their newest version are one more.
CREATE FUNCTION expected.note(schema text, rel text, key text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    added int;
BEGIN
    EXECUTE format('INSERT INTO expected.version (rel, key, image)
        SELECT %L, key, now.image
          FROM (SELECT %I::text AS key, expected.image(to_jsonb(t)) AS image FROM %I.%I AS t) AS now
          LEFT JOIN (SELECT DISTINCT ON (key) key, image FROM expected.version
                      WHERE rel = %L ORDER BY key, n DESC) AS newest USING (key)
         WHERE now.image IS DISTINCT FROM newest.image', rel, key, schema, rel, rel);
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;

-- The same of all tables of a star; returns how many versions of facts are new.
CREATE FUNCTION expected.note_star(schema text) RETURNS bigint LANGUAGE sql
RETURN (SELECT sum(n) FILTER (WHERE surrogate IS NOT NULL)
          FROM (SELECT surrogate, expected.note(schema, rel, key) AS n FROM expected.star) AS noted);

CREATE TYPE expected.difference AS (rel text, what text, key text, nth bigint, image text);

-- How a table of versions differs from what should be, in order, each version exactly once.
CREATE FUNCTION expected.history_differs(schema text, rel text, key text, surrogate text)
RETURNS SETOF expected.difference LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH have AS (SELECT %I::text, row_number() OVER (PARTITION BY %I ORDER BY %I),
                             expected.image(to_jsonb(t)) FROM %I.%I AS t),
             want AS (SELECT key, row_number() OVER (PARTITION BY key ORDER BY n), image
                        FROM expected.version WHERE rel = %L)
        SELECT %L, ''too much'', * FROM (TABLE have EXCEPT ALL TABLE want) AS d
        UNION ALL
        SELECT %L, ''missing'', * FROM (TABLE want EXCEPT ALL TABLE have) AS d',
        key, key, surrogate, schema, rel, rel, rel, rel);
END $$;

-- How a table, or a view of rel's, of newest versions does. What a SELECT does not return any more
-- (a day that no order has any more) stays: nobody deleted it.
CREATE FUNCTION expected.newest_differs(schema text, rel text, key text, view text)
RETURNS SETOF expected.difference LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH have AS (SELECT %I::text, 1::bigint, expected.image(to_jsonb(t)) FROM %I.%I AS t),
             want AS (SELECT DISTINCT ON (key) key, 1::bigint, image FROM expected.version
                       WHERE rel = %L ORDER BY key, n DESC)
        SELECT %L, ''too much'', * FROM (TABLE have EXCEPT ALL TABLE want) AS d
        UNION ALL
        SELECT %L, ''missing'', * FROM (TABLE want EXCEPT ALL TABLE have) AS d',
        key, schema, view, rel, view, view);
END $$;

-- A warehouse holds every version of every fact, and of every dimension the newest.
CREATE FUNCTION expected.warehouse_differs(schema text) RETURNS SETOF expected.difference
LANGUAGE sql AS $$
    SELECT d.* FROM expected.star AS s, expected.newest_differs(schema, rel, s.key, rel) AS d
     WHERE surrogate IS NULL
    UNION ALL
    SELECT d.* FROM expected.star AS s, expected.history_differs(schema, rel, s.key, surrogate) AS d
     WHERE surrogate IS NOT NULL
    UNION ALL
    SELECT d.* FROM expected.star AS s,
           expected.newest_differs(schema, rel, s.key, 'current_' || rel) AS d
     WHERE surrogate IS NOT NULL
$$;

-- --- a lake ---

CREATE TABLE expected.lake (
    rel      text NOT NULL,
    n        int GENERATED ALWAYS AS IDENTITY,
    content  jsonb NOT NULL);

-- How the versions of all keys in a lake differ from what should be, in order. A row that comes
-- again as it was is no version.
CREATE FUNCTION expected.lake_differs() RETURNS SETOF expected.difference LANGUAGE sql AS $$
    WITH line AS (SELECT rel, content ->> coalesce(s.key, rel || '_id') AS key, n,
                         expected.image(content) AS image
                    FROM expected.lake LEFT JOIN expected.star AS s USING (rel)),
         changed AS (SELECT *, image IS DISTINCT FROM lag(image)
                                   OVER (PARTITION BY rel, key ORDER BY n) AS is_new FROM line),
         have AS (SELECT rel, key, row_number() OVER (PARTITION BY rel, key ORDER BY n), image
                    FROM changed WHERE is_new),
         want AS (SELECT rel, key, row_number() OVER (PARTITION BY rel, key ORDER BY n), image
                    FROM expected.version)
    SELECT rel, 'lake: too much', key, row_number, image FROM (TABLE have EXCEPT TABLE want) AS d
    UNION ALL
    SELECT rel, 'lake: missing', key, row_number, image FROM (TABLE want EXCEPT TABLE have) AS d
$$;

-- How dimensions and current facts of a warehouse that was made in one go differ from those of one
-- that grew: that one may have days that no order has any more.
CREATE FUNCTION expected.schemas_differ(fresh text, grown text)
RETURNS SETOF expected.difference LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT rel, key, CASE WHEN surrogate IS NULL THEN rel ELSE 'current_' || rel END AS view
               FROM expected.star LOOP
        RETURN QUERY EXECUTE format('
            WITH have AS (SELECT %I::text, expected.image(to_jsonb(t)) FROM %I.%I AS t),
                 want AS (SELECT %I::text, expected.image(to_jsonb(t)) FROM %I.%I AS t)
            SELECT %L, ''fresh only'', key, 1::bigint, image
              FROM (TABLE have EXCEPT ALL TABLE want) AS d (key, image)
            UNION ALL
            SELECT %L, ''grown only'', key, 1::bigint, image
              FROM (TABLE want EXCEPT ALL TABLE have) AS d (key, image)
             WHERE %L <> ''dim_date''',
            s.key, fresh, s.view, s.key, grown, s.view, s.rel, s.rel, s.rel);
    END LOOP;
END $$;
