-- What varies among the alerts of an incident: JSON, [{field, values: [[value, count], ...], others}].
ALTER TABLE incidents ADD COLUMN spread TEXT NOT NULL DEFAULT '[]';
CREATE INDEX incidents_health ON incidents (last_received) WHERE nature = 'health';

-- The newest incident of a key, quiet ones included: a new alert may reopen it.
CREATE INDEX incidents_key ON incidents (key);

-- The batches of the second step, to audit them: every id from `first` to `last` was acknowledged.
CREATE TABLE batches (
    last INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    received INTEGER NOT NULL -- when the last event was received
) STRICT;
CREATE INDEX fates_fold ON fates (fold);

-- Who acknowledged or closed an incident, and when.
ALTER TABLE incidents ADD COLUMN handled_by TEXT;
ALTER TABLE incidents ADD COLUMN handled INTEGER;

CREATE TABLE silences (
    id INTEGER PRIMARY KEY,
    condition TEXT NOT NULL,
    by TEXT NOT NULL,
    comment TEXT NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    above_ceiling INTEGER NOT NULL CHECK (above_ceiling IN (0, 1)),
    hidden INTEGER NOT NULL DEFAULT 0, -- how many events it hid
    ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)) -- 1: what it hid has been told
) STRICT;
CREATE INDEX silences_live ON silences (ends) WHERE ended = 0;
ALTER TABLE folds ADD COLUMN silence INTEGER; -- NULL: not silenced
CREATE INDEX folds_silence ON folds (silence) WHERE silence IS NOT NULL;

-- What happened at a workload, one row a minute and rule: the surroundings of later reports.
CREATE TABLE activity (
    workload TEXT NOT NULL,
    minute INTEGER NOT NULL, -- since 1970
    rule TEXT NOT NULL,
    received INTEGER NOT NULL, -- the first of them
    severity INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (workload, minute, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX activity_minute ON activity (minute);

-- How often a rule fired for an image, one row a day.
CREATE TABLE fired (
    image TEXT NOT NULL,
    rule TEXT NOT NULL,
    day INTEGER NOT NULL, -- since 1970
    count INTEGER NOT NULL,
    PRIMARY KEY (image, rule, day)
) STRICT, WITHOUT ROWID;
