-- The star of ToteSys, a tote bag shop: three facts and the eight dimensions they share.
-- The file runs in PostgreSQL as it stands, beside the source tables (CREATE EXTENSION file_fdw for
-- the reference file), and in star-transform, which gives the same rows.

CREATE FOREIGN TABLE iso4217 (code text, name text)
    SERVER files OPTIONS (filename 'iso4217.csv', format 'csv', header 'true');

CREATE TABLE dim_date (
    date_id      date PRIMARY KEY,
    year         int NOT NULL,
    month        int NOT NULL,
    day          int NOT NULL,
    day_of_week  int NOT NULL,     -- ISO: Monday is 1, Sunday 7
    day_name     varchar NOT NULL,
    month_name   varchar NOT NULL,
    quarter      int NOT NULL);

CREATE TABLE dim_staff (
    staff_id         int PRIMARY KEY,
    first_name       varchar NOT NULL,
    last_name        varchar NOT NULL,
    department_name  varchar NOT NULL,
    location         varchar NOT NULL,
    email_address    varchar NOT NULL);

CREATE TABLE dim_location (
    location_id     int PRIMARY KEY,
    address_line_1  varchar NOT NULL,
    address_line_2  varchar,
    district        varchar,
    city            varchar NOT NULL,
    postal_code     varchar NOT NULL,
    country         varchar NOT NULL,
    phone           varchar NOT NULL);

CREATE TABLE dim_currency (
    currency_id    int PRIMARY KEY,
    currency_code  varchar NOT NULL,
    currency_name  varchar NOT NULL);

CREATE TABLE dim_design (
    design_id      int PRIMARY KEY,
    design_name    varchar NOT NULL,
    file_location  varchar NOT NULL,
    file_name      varchar NOT NULL);

CREATE TABLE dim_counterparty (
    counterparty_id                    int PRIMARY KEY,
    counterparty_legal_name            varchar NOT NULL,
    counterparty_legal_address_line_1  varchar NOT NULL,
    counterparty_legal_address_line_2  varchar,
    counterparty_legal_district        varchar,
    counterparty_legal_city            varchar NOT NULL,
    counterparty_legal_postal_code     varchar NOT NULL,
    counterparty_legal_country         varchar NOT NULL,
    counterparty_legal_phone_number    varchar NOT NULL);

CREATE TABLE dim_payment_type (
    payment_type_id    int PRIMARY KEY,
    payment_type_name  varchar NOT NULL);

CREATE TABLE dim_transaction (
    transaction_id     int PRIMARY KEY,
    transaction_type   varchar NOT NULL,
    sales_order_id     int,
    purchase_order_id  int);

CREATE TABLE fact_sales_order (
    sales_record_id              serial PRIMARY KEY,
    sales_order_id               int NOT NULL,
    created_date                 date NOT NULL REFERENCES dim_date,
    created_time                 time NOT NULL,
    last_updated_date            date NOT NULL REFERENCES dim_date,
    last_updated_time            time NOT NULL,
    sales_staff_id               int NOT NULL REFERENCES dim_staff,
    counterparty_id              int NOT NULL REFERENCES dim_counterparty,
    units_sold                   int NOT NULL,
    unit_price                   numeric(10,2) NOT NULL,
    currency_id                  int NOT NULL REFERENCES dim_currency,
    design_id                    int NOT NULL REFERENCES dim_design,
    agreed_payment_date          date NOT NULL REFERENCES dim_date,
    agreed_delivery_date         date NOT NULL REFERENCES dim_date,
    agreed_delivery_location_id  int NOT NULL REFERENCES dim_location);

CREATE TABLE fact_purchase_order (
    purchase_record_id           serial PRIMARY KEY,
    purchase_order_id            int NOT NULL,
    created_date                 date NOT NULL REFERENCES dim_date,
    created_time                 time NOT NULL,
    last_updated_date            date NOT NULL REFERENCES dim_date,
    last_updated_time            time NOT NULL,
    staff_id                     int NOT NULL REFERENCES dim_staff,
    counterparty_id              int NOT NULL REFERENCES dim_counterparty,
    item_code                    varchar NOT NULL,
    item_quantity                int NOT NULL,
    item_unit_price              numeric NOT NULL,
    currency_id                  int NOT NULL REFERENCES dim_currency,
    agreed_delivery_date         date NOT NULL REFERENCES dim_date,
    agreed_payment_date          date NOT NULL REFERENCES dim_date,
    agreed_delivery_location_id  int NOT NULL REFERENCES dim_location);

CREATE TABLE fact_payment (
    payment_record_id  serial PRIMARY KEY,
    payment_id         int NOT NULL,
    created_date       date NOT NULL REFERENCES dim_date,
    created_time       time NOT NULL,
    last_updated_date  date NOT NULL REFERENCES dim_date,
    last_updated_time  time NOT NULL,
    transaction_id     int NOT NULL REFERENCES dim_transaction,
    counterparty_id    int NOT NULL REFERENCES dim_counterparty,
    payment_amount     numeric NOT NULL,
    currency_id        int NOT NULL REFERENCES dim_currency,
    payment_type_id    int NOT NULL REFERENCES dim_payment_type,
    paid               boolean NOT NULL,
    payment_date       date NOT NULL REFERENCES dim_date);

-- every day that a fact refers to
INSERT INTO dim_date
SELECT d,
       extract(year FROM d),
       extract(month FROM d),
       extract(day FROM d),
       extract(isodow FROM d),
       to_char(d, 'FMDay'),
       to_char(d, 'FMMonth'),
       extract(quarter FROM d)
  FROM (SELECT created_at::date AS d FROM sales_order
        UNION SELECT last_updated::date FROM sales_order
        UNION SELECT agreed_payment_date::date FROM sales_order
        UNION SELECT agreed_delivery_date::date FROM sales_order
        UNION SELECT created_at::date FROM purchase_order
        UNION SELECT last_updated::date FROM purchase_order
        UNION SELECT agreed_payment_date::date FROM purchase_order
        UNION SELECT agreed_delivery_date::date FROM purchase_order
        UNION SELECT created_at::date FROM payment
        UNION SELECT last_updated::date FROM payment
        UNION SELECT payment_date::date FROM payment) AS days;

-- a department may have no location: the dimension says so instead of losing its staff
INSERT INTO dim_staff
SELECT s.staff_id, s.first_name, s.last_name, d.department_name,
       coalesce(d.location, 'unknown'), s.email_address
  FROM staff s
  JOIN department d USING (department_id);

INSERT INTO dim_location
SELECT address_id, address_line_1, address_line_2, district, city, postal_code, country, phone
  FROM address;

INSERT INTO dim_currency
SELECT c.currency_id, c.currency_code, iso4217.name
  FROM currency c
  JOIN iso4217 ON iso4217.code = c.currency_code;

INSERT INTO dim_design
SELECT design_id, design_name, file_location, file_name
  FROM design;

INSERT INTO dim_counterparty
SELECT c.counterparty_id, c.counterparty_legal_name, a.address_line_1, a.address_line_2,
       a.district, a.city, a.postal_code, a.country, a.phone
  FROM counterparty c
  JOIN address a ON a.address_id = c.legal_address_id;

INSERT INTO dim_payment_type
SELECT payment_type_id, payment_type_name
  FROM payment_type;

INSERT INTO dim_transaction
SELECT transaction_id, transaction_type, sales_order_id, purchase_order_id
  FROM transaction;

INSERT INTO fact_sales_order
       (sales_order_id, created_date, created_time, last_updated_date, last_updated_time,
        sales_staff_id, counterparty_id, units_sold, unit_price, currency_id, design_id,
        agreed_payment_date, agreed_delivery_date, agreed_delivery_location_id)
SELECT sales_order_id, created_at::date, created_at::time, last_updated::date, last_updated::time,
       staff_id, counterparty_id, units_sold, unit_price, currency_id, design_id,
       agreed_payment_date::date, agreed_delivery_date::date, agreed_delivery_location_id
  FROM sales_order;

INSERT INTO fact_purchase_order
       (purchase_order_id, created_date, created_time, last_updated_date, last_updated_time,
        staff_id, counterparty_id, item_code, item_quantity, item_unit_price, currency_id,
        agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
SELECT purchase_order_id, created_at::date, created_at::time, last_updated::date,
       last_updated::time, staff_id, counterparty_id, item_code, item_quantity, item_unit_price,
       currency_id, agreed_delivery_date::date, agreed_payment_date::date,
       agreed_delivery_location_id
  FROM purchase_order;

INSERT INTO fact_payment
       (payment_id, created_date, created_time, last_updated_date, last_updated_time,
        transaction_id, counterparty_id, payment_amount, currency_id, payment_type_id, paid,
        payment_date)
SELECT payment_id, created_at::date, created_at::time, last_updated::date, last_updated::time,
       transaction_id, counterparty_id, payment_amount, currency_id, payment_type_id, paid,
       payment_date::date
  FROM payment;
