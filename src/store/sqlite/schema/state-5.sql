-- What became of events before the retention time, summed up: the account goes on without them. The
-- row without a destination holds each event's own account.
CREATE TABLE settled (
    destination TEXT NOT NULL,
    account TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (destination, account)
) STRICT, WITHOUT ROWID;

-- 1: its folds and fates are in `settled`.
ALTER TABLE batches ADD COLUMN summed INTEGER NOT NULL DEFAULT 0 CHECK (summed IN (0, 1));
-- The last event of the batches that are gone.
ALTER TABLE cursor ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;
-- How many of the incident's events are in `settled`.
ALTER TABLE incidents ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX deliveries_incident ON deliveries (incident);

-- CRC-32 of id, time and body, as in the inbox.
ALTER TABLE events ADD COLUMN sum INTEGER;
