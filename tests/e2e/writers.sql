-- A source that several writers change at once, and the log that they keep: each committed version
-- of each row with its transaction, written by triggers, so that what is rolled back is not in it.

CREATE TABLE grp (
    grp_id   int PRIMARY KEY,
    version  int NOT NULL DEFAULT 0);

CREATE TABLE item (
    item_id       serial PRIMARY KEY,
    grp_id        int NOT NULL REFERENCES grp,
    version       int NOT NULL DEFAULT 0,
    last_updated  timestamp(0) NOT NULL DEFAULT '2024-01-01 12:00'); -- and so it stays

CREATE SCHEMA writers;
CREATE TABLE writers.log (
    rel      text NOT NULL,
    key      int NOT NULL,
    version  int NOT NULL,
    grp_id   int NOT NULL,
    xid      xid8 NOT NULL DEFAULT pg_current_xact_id());

CREATE FUNCTION writers.keep_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO writers.log (rel, key, version, grp_id)
    VALUES (TG_TABLE_NAME, (to_jsonb(NEW) ->> (TG_TABLE_NAME || '_id'))::int, NEW.version, NEW.grp_id);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_log AFTER INSERT OR UPDATE ON grp FOR EACH ROW EXECUTE FUNCTION writers.keep_log();
CREATE TRIGGER keep_log AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION writers.keep_log();

INSERT INTO grp SELECT generate_series(1, 8);
INSERT INTO item (grp_id) SELECT 1 + i % 8 FROM generate_series(1, 400) AS i;

-- a new version of n items, whichever nobody else is at
CREATE PROCEDURE writers.touch(n int) LANGUAGE sql AS $$
    UPDATE item SET version = version + 1,
           grp_id = CASE WHEN random() < 0.2 THEN 1 + grp_id % 8 ELSE grp_id END
     WHERE item_id IN (SELECT item_id FROM item ORDER BY random() LIMIT n FOR UPDATE SKIP LOCKED)
$$;

CREATE PROCEDURE writers.touch_grp() LANGUAGE sql AS $$
    UPDATE grp SET version = version + 1
     WHERE grp_id IN (SELECT grp_id FROM grp ORDER BY random() LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
$$;

-- More subtransactions than the server keeps in mind for one transaction, a third of them undone.
CREATE PROCEDURE writers.touch_in_parts(parts int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..parts LOOP
        BEGIN
            CALL writers.touch(1);
            IF random() < 0.33 THEN
                RAISE 'undo this part';
            END IF;
        EXCEPTION
            WHEN raise_exception THEN
        END;
    END LOOP;
END $$;

-- --- what should be, of runs that read these snapshots ---

CREATE TABLE writers.run (n int GENERATED ALWAYS AS IDENTITY, snapshot pg_snapshot NOT NULL);

-- the newest version of each row that a run could see
CREATE VIEW writers.seen AS
    SELECT DISTINCT ON (n, rel, key) n, rel, key, version, grp_id
      FROM writers.run
      JOIN writers.log ON pg_visible_in_snapshot(xid, snapshot)
     ORDER BY n, rel, key, version DESC;

CREATE VIEW writers.fact_item AS
    SELECT item_id, row_number() OVER (PARTITION BY item_id ORDER BY n) AS nth, version
      FROM (SELECT n, key AS item_id, version,
                   lag(version) OVER (PARTITION BY key ORDER BY n) AS before
              FROM writers.seen WHERE rel = 'item') AS v
     WHERE version IS DISTINCT FROM before;

CREATE VIEW writers.fact_joined AS
    SELECT item_id, row_number() OVER (PARTITION BY item_id ORDER BY n) AS nth,
           version, grp_id, grp_version
      FROM (SELECT n, i.key AS item_id, i.version, g.key AS grp_id, g.version AS grp_version,
                   lag((i.version, g.key, g.version)) OVER (PARTITION BY i.key ORDER BY n) AS before
              FROM writers.seen AS i
              JOIN writers.seen AS g USING (n)
             WHERE i.rel = 'item' AND g.rel = 'grp' AND g.key = i.grp_id) AS v
     WHERE (version, grp_id, grp_version) IS DISTINCT FROM before;
