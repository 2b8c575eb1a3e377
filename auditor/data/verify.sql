-- Recomputes with DuckDB what needs no cryptography but SHA-256. Run in the folder of the pack:
--   duckdb < verify.sql
-- Every line must end in `true`.
SET timezone = 'UTC';
CREATE VIEW events AS SELECT * FROM read_parquet('data/events.parquet');
CREATE VIEW period AS SELECT * FROM read_parquet('data/period.parquet');
CREATE VIEW manifest AS SELECT * FROM read_json('manifest.json', maximum_object_size = 100000000);

SELECT 'leaf hashes recompute' AS "check", count(*) AS examined, count(*) FILTER (bad) = 0 AS good
FROM (SELECT leaf_hash IS DISTINCT FROM unhex(sha256('\x00'::BLOB || canonical)) AS bad FROM events);

SELECT 'rows are contiguous', count(*),
       count(*) = (SELECT range_end - range_start FROM period)
       AND min(leaf_index) = (SELECT range_start FROM period)
       AND max(leaf_index) = (SELECT range_end - 1 FROM period)
       AND count(DISTINCT leaf_index) = count(*)
FROM events;

SELECT 'rows as the manifest counts them', count(*), count(*) = (SELECT totals.rows FROM manifest)
FROM events;

SELECT 'chains are contiguous', count(*), count(*) FILTER (step <> 1) = 0
FROM (SELECT device_seq - lag(device_seq) OVER (PARTITION BY chain_id ORDER BY device_seq) AS step
      FROM events WHERE chain_id IS NOT NULL);

SELECT 'entries name their predecessor', count(*), count(*) FILTER (bad) = 0
FROM (SELECT lag(leaf_hash) OVER w IS NOT NULL AND prev_event_hash IS DISTINCT FROM lag(leaf_hash) OVER w AS bad
      FROM events WHERE chain_id IS NOT NULL WINDOW w AS (PARTITION BY chain_id ORDER BY device_seq));
