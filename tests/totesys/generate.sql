-- Fills the tables of source.sql:  psql -v orders=10000 -f generate.sql   (10000 is the default)
--
-- The same number of orders gives the same rows everywhere: what looks random is a hash of the row's
-- number. Names are invented, the quirks are those of the real shop's data: apostrophes, commas,
-- leading zeros, NULLs, a misspelt city, a department without staff, addresses that several parties
-- share, whole seconds, keys and clocks that disagree, rows that changed while last_updated did not,
-- dozens of payments with one and the same last_updated. Behind them stand rows with what the real
-- data lacks so far: other alphabets, quotes, backslashes, line breaks, tabs, a NULL location.
-- A superuser must run it: foreign keys are not checked row by row, they hold by construction.

\set ON_ERROR_STOP 1
\set QUIET 1
\if :{?orders}
\else
\set orders 10000
\endif
SET client_min_messages = warning;
SET session_replication_role = replica;
SET work_mem = '256MB';
SET TimeZone = 'UTC';
BEGIN;

-- a number from 0 to n - 1 for row i; another salt, another number
CREATE FUNCTION pg_temp.pick(i bigint, salt int, n bigint) RETURNS int LANGUAGE sql IMMUTABLE
RETURN abs(hashint8extended(i, salt) % n)::int;

-- the moment at which row i of n came (i from 0): evenly over so many weekdays from 3 November 2022,
-- between 8 and 19 o'clock, in the seconds after a job of every minute began; one in 500 at a whole
-- second, one in 5000 late, with an older time than the row before
SELECT least(greatest(:orders / 21, 40), 600) AS days \gset
CREATE FUNCTION pg_temp.moment(i bigint, n bigint, days bigint, salt int) RETURNS timestamp LANGUAGE sql IMMUTABLE
RETURN timestamp '2022-10-31 08:00'
     + (((3 + i * days / n) / 5 * 7 + (3 + i * days / n) % 5) * 1440 + i * days % n * 660 / n) * interval '1 minute'
     + CASE WHEN pg_temp.pick(i, salt, 500) = 0 THEN 10000
            ELSE 9000 + pg_temp.pick(i, salt + 1, 1300) END * interval '1 ms'
     - CASE WHEN pg_temp.pick(i, salt + 2, 5000) = 0 THEN 45 ELSE 0 END * interval '1 minute';

-- a date as the application writes it, so many days after a moment
CREATE FUNCTION pg_temp.day(t timestamp, ahead int) RETURNS varchar LANGUAGE sql IMMUTABLE
RETURN (t::date + ahead)::text;

INSERT INTO currency
SELECT id, code, t, t
  FROM unnest(ARRAY['GBP', 'USD', 'EUR']) WITH ORDINALITY AS c (code, id),
       (VALUES (timestamp '2022-11-03 08:00:09.871')) AS v (t);

INSERT INTO payment_type
SELECT id, name, t, t
  FROM unnest(ARRAY['SALES_RECEIPT', 'SALES_REFUND', 'PURCHASE_PAYMENT', 'PURCHASE_REFUND'])
       WITH ORDINALITY AS p (name, id),
       (VALUES (timestamp '2022-11-03 08:00:09.871')) AS v (t);

-- nobody works in department 1; "Leds" is how department 4 has it
INSERT INTO department
SELECT id, name, location, manager, t, t
  FROM (VALUES (1, 'Sales', 'Manchester', 'Rowena Tuck'),
               (2, 'Purchasing', 'Manchester', 'Nuala Pemberly'),
               (3, 'Production', 'Leeds', 'Clement Ashby'),
               (4, 'Dispatch', 'Leds', 'Marcus Hale'),
               (5, 'Finance', 'Manchester', 'Joan Beaufort'),
               (6, 'Facilities', 'Manchester', 'Sheila Levitt'),
               (7, 'Communications', 'Leeds', 'Anna Blackett'),
               (8, 'HR', 'Leeds', 'Jamie Linden'),
               (9, E'R&D "skunk\\works"', NULL, NULL)) AS d (id, name, location, manager),
       (VALUES (timestamp '2022-11-03 08:00:09.871')) AS v (t);

INSERT INTO address
SELECT id, line_1, line_2, district, city, postal_code, country, phone, t, t
  FROM (VALUES
    (1, '4821 Hopfield Lane', NULL, 'Avon', 'New Marigold', '30114', 'Turkey', '1877 204113'),
    (2, '17 Tamsin Cliffs', NULL, NULL, 'Aldervale', '98217-5520', 'San Marino', '9533 118204'),
    (3, '206 Quiet Fort', NULL, NULL, 'Lake Emmeline', '87203', 'Samoa', '0714 550381'),
    (4, '5093 Rowan Skyway', NULL, 'Bedfordshire', 'Norbeckside', '46020', 'Republic of Korea', '1305 842290'),
    (5, '38820 Denholm Track', NULL, NULL, 'Fort Brindley', '54110-7731', 'Bosnia and Herzegovina', '0092 310075'),
    (6, '911 Kestrel Island', NULL, NULL, 'Tannerburgh', '07734', 'Zimbabwe', '0462 771930'),
    (7, '70015 Ottoline Ways', NULL, 'Buckinghamshire', 'North Delmar', '03921', 'Faroe Islands', '1448 209317'),
    (8, '0644 Dunmore Common', NULL, NULL, 'Suffolk', '55381-0214', 'United Kingdom', '8820 146093'),
    (9, '733 Edgar Garden', NULL, 'Borders', 'New Tolland', '31907-4405', 'Australia', '0755 903318'),
    (10, '41207 Kayla Flat', 'Tremont Circle', 'Bedfordshire', 'Bellachester', '88304', 'Democratic People''s Republic of Korea', '4871 220964'),
    (11, '318 Berrow Mission', NULL, 'Buckinghamshire', 'Corvale', '84020-8113', 'Japan', '0231 664820'),
    (12, '7204 Ernst Expressway', NULL, 'Berkshire', 'Priceford', '36008-1250', 'Tajikistan', '4690 813327'),
    (13, '81730 Archway Dale', 'Torrance Turnpike', NULL, 'Shandonview', '61844-4920', 'Bouvet Island (Bouvetoya)', '8712 330098'),
    (14, '80117 Bryson Common', 'Gray Turnpike', NULL, 'Maggotford', '51920-2633', 'Iraq', '3407 118825'),
    (15, '722 Haswell Trafficway', 'Axton Freeway', NULL, 'East Robin', '87114-3308', 'Heard Island and McDonald Islands', '9510 446238'),
    (16, '604 Orrin Extension', 'Cielito Radial', 'Buckinghamshire', 'South Whitby', '05621-4417', 'Iceland', '2290 817335'),
    (17, '1013 Coker Drives', NULL, NULL, 'Hackford', '94208-5519', 'Indonesia', '5618 204477'),
    (18, '57740 Sybil Cliff', 'Leyland Glens', 'Bedfordshire', 'Lake Arden', '62917', 'Kiribati', '0181 507762'),
    (19, '0391 Colman Corner', 'Isobel Ways', 'Buckinghamshire', 'West Brielby', '01247', 'Sierra Leone', '1764 229083'),
    (20, '23118 Kleiner Landing', NULL, NULL, 'Pellow', '90336', 'Republic of Korea', '4114 705532'),
    (21, '402 Georgina Ridge', NULL, 'Cambridgeshire', 'Fresham', '92471-3760', 'Bolivia', '8703 581190'),
    (22, '415 Goodrich Streets', NULL, NULL, 'Sayerville', '84630-4371', 'Svalbard & Jan Mayen Islands', '0836 557103'),
    (23, '907 Provost Spring', NULL, 'Berkshire', 'Derringport', '24418', 'Papua New Guinea', '4008 912264'),
    (24, '8520 Darnell Freeway', NULL, NULL, 'New Tarrant', '18209', 'Antigua and Barbuda', '5471 166083'),
    (25, '364 Ulrica Inlet', 'Maisie Wall', 'Borders', 'East Arwel', '36408-9021', 'Sudan', '0032 418809'),
    (26, '615 Pascoe Branch', NULL, 'Bedfordshire', 'Nappa', '78320-4602', 'American Samoa', '5803 470018'),
    (27, '7305 Brightwater View', 'Norah Bridge', 'Buckinghamshire', 'Oakham Park', '76588', 'Guam', '2851 770349'),
    (28, '086 Horatio Landing', NULL, NULL, 'Uticam', '92134', 'Austria', '7663 195802'),
    (29, '38827 Heath Lock', 'Naomi Pines', NULL, 'Bartleview', '43511-5208', 'Congo', '1795 813377'),
    (30, '0447 Ruth Heights', NULL, 'Buckinghamshire', 'Lake Myrtle', '95634-4195', 'Falkland Islands (Malvinas)', '1172 397241'),
    (31, '12 rue de l''Évêché', 'bâtiment « B »', '', 'Besançon', '25000', 'Côte d''Ivoire', '+33 3 81 00 00 00'),
    (32, '千代田区丸の内1丁目', '🏬 9F', '東京都', '東京', '100-0005', '日本', '03-0000-0000'),
    (33, 'ul. Żółwia 7/9', NULL, E'woj.\tłódzkie', 'Łódź', '00-001', 'Polska', '+48 000 000 000'),
    (34, E'"The Mill", Dock Road\nUnit 4', E'c:\\stores\\new\\table', '\N', 'Hull, East', '007', 'Isle of Man', '0000 000000'),
    (35, 'شارع النيل ١٢', E'\u202Ertl\u202C', NULL, 'الخرطوم', '011111', 'السودان', '٠١٢٣'),
    (36, E'Zoe\u0308 Way (not Zoë)', E'\r\n\u0001\u001f\u007f', '{"json": [1, "2"]}', 'null', '1e5', 'NaN', 'true')
    ) AS a (id, line_1, line_2, district, city, postal_code, country, phone),
       (VALUES (timestamp '2022-11-03 08:00:09.871')) AS v (t);

INSERT INTO staff
SELECT id, first, last, department,
       lower(first || '.' || last) || '@totes.example', t, t
  FROM (VALUES (1, 'Jerome', 'Frayne', 2), (2, 'Darren', 'Biers', 6), (3, 'Janette', 'Erdley', 6),
               (4, 'Anya', 'Grover', 3), (5, 'Magda', 'Zeeman', 8), (6, 'Corey', 'Kragen', 3),
               (7, 'Rafael', 'Ripley', 2), (8, 'Oswald', 'Bergson', 7), (9, 'Brodie', 'Rathke', 2),
               (10, 'Jasmin', 'Koonz', 2), (11, 'Meda', 'Cremona', 5), (12, 'Imani', 'Walcott', 5),
               (13, 'Stan', 'Lenner', 4), (14, 'Rigby', 'VanReuden', 7), (15, 'Tom', 'Gutierrez', 3),
               (16, 'Jett', 'Parrish', 6), (17, 'Irvin', 'O''Keane', 3), (18, 'Tomasina', 'Moore', 8),
               (19, 'Pierre', 'Sorrel', 2), (20, 'Flavia', 'Kullman', 3), (21, 'Đặng', 'Thị "Mai"', 9),
               (22, 'Ülkü', 'Çağlar-Øst', 3), (23, E'Back\\slash', E'Tab\tline\nbreak', 9))
       AS s (id, first, last, department),
       (VALUES (timestamp '2022-11-03 08:00:11.203')) AS v (t);

INSERT INTO counterparty
SELECT id, name, address, commercial, delivery, t, t
  FROM (VALUES
    (1, 'Fenwick and Sons', 15, 'Michael Toye', 'Mrs. Lucy Runcorn'),
    (2, 'Lennan, Prescott and Moran', 28, 'Melva Sandford', 'Jean Hanley III'),
    (3, 'Armitage Inc', 2, 'Jane Wither', 'Moira Kovacs'),
    (4, 'Kohlman Inc', 29, 'Taylor Hague', 'Alfred Cassidy II'),
    (5, 'Frampton, Yule and Macey', 22, 'Homer Mitchum', 'Ivan Ballister'),
    (6, 'Mraz-Holt LLC', 23, 'Florence Caspar', 'Eva Uphill'),
    (7, 'Padbury, Lund and Johns', 16, 'Ms. Wilma Whiting', 'Christie O''Hare'),
    (8, 'Grantham - Lakeland', 16, 'Emily Ornsby', 'Veronica Fayed'),
    (9, 'Pryce LLC', 5, 'Cheryl Langley', 'Simon Shone'),
    (10, 'Bosworth - Granger', 10, 'Edward Halvers', 'Dewi Kuehl'),
    (11, 'Corkhill - Newnes', 17, 'Glenn Emmerson', 'Laurie Hermitage'),
    (12, 'Keeley - Emmett', 7, 'Marc Rowan', 'Rosa Powell'),
    (13, 'Handley, Krall and Kuhn', 5, 'Sherry Ricci', 'Eliza Senge'),
    (14, 'Hinton, Haye and Wills', 30, 'Ms. Susan Hale', 'Andrea Kass PhD'),
    (15, 'Emery, Rowe and Reynard', 17, 'Roderick Wade', 'Jake Welsh DVM'),
    (16, 'Hartnell, Frane and Rathbone', 14, 'Alberta Frank DDS', 'Tracy Quigg'),
    (17, 'Kirn Group', 17, 'Dr. Doris Heider', 'Gregor Behan'),
    (18, 'Smithson and Sons', 17, 'Laura Grahame', 'Olive Franks'),
    (19, 'Ondine, Conway and Turcot', 18, 'Pearl Kragen', 'Warren Weiman'),
    (20, 'Yost-Hill, Watts and Mann', 2, 'Sophie Konop', 'Janie Doyle-Wynn'),
    (21, E'Größe & Söhne GmbH "Nord"', 31, NULL, NULL),
    (22, '株式会社トート', 32, '山田 太郎', NULL),
    (23, E'Tab\tand\nNewline \\ Co', 34, '', 'N/A'),
    (24, '  Padded | Piped, Ltd.  ', 36, '\.', NULL))
       AS c (id, name, address, commercial, delivery),
       (VALUES (timestamp '2022-11-03 08:00:11.203')) AS v (t);

-- eight designs from the start, then about one for every 24 orders
SELECT 8 + least(greatest(:orders / 24, 12), 20000) AS designs \gset
INSERT INTO design
SELECT i, t,
       CASE WHEN i % 97 = 0 THEN 'Señor Ñandú' ELSE name END,
       CASE WHEN i % 89 = 0 THEN E'C:\\Users\\new\\"tote bags"' ELSE dirs[1 + pg_temp.pick(i, 4, 20)] END,
       lower(name) || to_char(t - pg_temp.pick(i, 5, 400) * interval '1 day', '-YYYYMMDD-')
           || substr(md5(i::text), 1, 4) || '.json',
       t
  FROM (VALUES (ARRAY['Wooden', 'Bronze', 'Soft', 'Fresh', 'Granite', 'Cotton', 'Steel', 'Plastic',
                      'Rubber', 'Metal', 'Concrete', 'Frozen', 'Linen', 'Jute', 'Hemp', 'Denim'],
                ARRAY['/usr', '/private', '/lost+found', '/System', '/etc/defaults', '/usr/libdata',
                      '/usr/local/src', '/opt/include', '/home', '/var/spool', '/usr/share', '/lib',
                      '/sbin', '/boot/defaults', '/proc', '/home/user/dir', '/Users', '/media',
                      '/usr/obj', '/var/yp'])) AS v (names, dirs),
       generate_series(1, :designs) AS i,
       LATERAL (SELECT names[1 + pg_temp.pick(i, 3, 16)],
                       CASE WHEN i <= 8 THEN timestamp '2022-11-03 08:00:09.871'
                            ELSE pg_temp.moment(i - 9, :designs - 8, :days, 10) END) AS d (name, t);

INSERT INTO sales_order
SELECT i, t, t,
       -- of the designs there were
       1 + pg_temp.pick(i, 21, 8 + (:designs - 8) * (i - 1) / :orders),
       1 + pg_temp.pick(i, 22, 23),
       1 + pg_temp.pick(i, 23, 24),
       1000 + pg_temp.pick(i, 24, 99001),
       (200 + pg_temp.pick(i, 25, 201)) * 0.01,
       1 + pg_temp.pick(i, 26, 3),
       pg_temp.day(t, pg_temp.pick(i, 27, 7)),
       pg_temp.day(t, pg_temp.pick(i, 28, 6)),
       1 + pg_temp.pick(i, 29, 36)
  FROM (SELECT i, pg_temp.moment(i - 1, :orders, :days, 30) AS t
          FROM generate_series(1::bigint, :orders) AS i) AS o;

-- five purchases for every twelve sales
SELECT greatest(:orders * 5::bigint / 12, 1) AS purchases \gset
INSERT INTO purchase_order
SELECT i, t, t,
       1 + pg_temp.pick(i, 41, 23),
       1 + pg_temp.pick(i, 42, 24),
       upper(substr(md5('item' || i), 1, 7)),
       1 + pg_temp.pick(i, 43, 1000),
       (300 + pg_temp.pick(i, 44, 99701)) * 0.01,
       1 + pg_temp.pick(i, 45, 3),
       pg_temp.day(t, pg_temp.pick(i, 46, 7)),
       pg_temp.day(t, pg_temp.pick(i, 47, 6)),
       1 + pg_temp.pick(i, 48, 36)
  FROM (SELECT i, pg_temp.moment(i - 1, :purchases, :days, 50) AS t
          FROM generate_series(1::bigint, :purchases) AS i) AS o;

-- one transaction and one payment for each order, in the order of time but for one in 700
INSERT INTO transaction
SELECT row_number() OVER (ORDER BY created_at + CASE WHEN pg_temp.pick(sales_order_id, 60, 700) = 0 THEN 90 ELSE 0 END
                                              * interval '1 minute', sales_order_id, purchase_order_id),
       transaction_type, sales_order_id, purchase_order_id, created_at, created_at
  FROM (SELECT 'SALE', sales_order_id, NULL::int, created_at FROM sales_order
        UNION ALL
        SELECT 'PURCHASE', NULL, purchase_order_id, created_at FROM purchase_order)
       AS t (transaction_type, sales_order_id, purchase_order_id, created_at);

-- A job marks payments as paid on weekdays at 07:55:11: all it finds that day have one last_updated.
-- Those of the last days, and some that nobody pays, are still open.
INSERT INTO payment
SELECT id, t, CASE WHEN paid THEN flipped ELSE t END, id, counterparty_id, amount, currency_id, type,
       paid, agreed_payment_date,
       10000000 + pg_temp.pick(id, 61, 90000000), 10000000 + pg_temp.pick(id, 62, 90000000)
  FROM (SELECT t.transaction_id AS id, t.created_at AS t, s.counterparty_id,
               s.units_sold * s.unit_price AS amount, s.currency_id, 1 AS type, s.agreed_payment_date
          FROM transaction t JOIN sales_order s USING (sales_order_id)
        UNION ALL
        SELECT t.transaction_id, t.created_at, p.counterparty_id,
               p.item_quantity * p.item_unit_price, p.currency_id, 3, p.agreed_payment_date
          FROM transaction t JOIN purchase_order p USING (purchase_order_id)) AS o,
       -- the next morning, or Monday's
       LATERAL (SELECT t::date + CASE WHEN extract(isodow FROM t) >= 5 THEN 8 - extract(isodow FROM t)::int ELSE 1 END
                       + time '07:55:11.031',
                       pg_temp.pick(id, 63, 100) < 65) AS f (flipped, paid)
 ORDER BY paid, id;

-- Changes that last_updated does not tell, and that move the row behind its neighbours on disk.
UPDATE sales_order
   SET agreed_delivery_date = CASE sales_order_id % 4 WHEN 0 THEN pg_temp.day(created_at, 10 + pg_temp.pick(sales_order_id, 71, 615))
                                                      ELSE agreed_delivery_date END,
       agreed_delivery_location_id = CASE sales_order_id % 4 WHEN 1 THEN 1 + agreed_delivery_location_id % 36
                                                             ELSE agreed_delivery_location_id END,
       staff_id = CASE sales_order_id % 4 WHEN 2 THEN 1 + staff_id % 23 ELSE staff_id END,
       design_id = CASE sales_order_id % 4 WHEN 3 THEN 1 + design_id % 8 ELSE design_id END
 WHERE pg_temp.pick(sales_order_id, 70, 130) = 0;
UPDATE purchase_order
   SET item_code = reverse(item_code)
 WHERE pg_temp.pick(purchase_order_id, 72, 250) = 0;
UPDATE design
   SET file_location = '/tmp'
 WHERE pg_temp.pick(design_id, 73, 6) = 0;

INSERT INTO _prisma_migrations
VALUES ('6f1f3b0e-0000-4000-8000-000000000001', md5('init'), '2022-11-03 08:00:01+00', '20221103080000_init',
        '2022-11-03 08:00:00+00', 1);

-- the next row that an application adds comes behind these
SELECT format('SELECT setval(pg_get_serial_sequence(%L, %L), max(%I)) FROM %I', c.table_name, c.column_name,
              c.column_name, c.table_name)
  FROM information_schema.columns c
 WHERE c.table_schema = current_schema() AND c.column_default LIKE 'nextval(%'
\o /dev/null
\gexec
\o
COMMIT;
ANALYZE;
