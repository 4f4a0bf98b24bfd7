-- Times are nanoseconds since 1970.

CREATE TABLE cursor (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    event INTEGER NOT NULL,
    received INTEGER NOT NULL -- how many events were ever taken over
) STRICT;
INSERT INTO cursor VALUES (1, 0, 0);

-- Appended in the order of the ids and never updated: no other index.
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    uid BLOB NOT NULL,
    key BLOB NOT NULL,
    route TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'quiet', 'closed')),
    rule TEXT NOT NULL,
    category TEXT NOT NULL,
    nature TEXT NOT NULL CHECK (nature IN ('security', 'health', 'test')),
    severity INTEGER NOT NULL, -- 0 debug to 7 emergency
    labels TEXT NOT NULL, -- JSON: [[name, value], ...]
    count INTEGER NOT NULL,
    first_received INTEGER NOT NULL,
    last_received INTEGER NOT NULL,
    first_time TEXT NOT NULL, -- RFC 3339: a sender's clock can be outside the range of nanoseconds
    last_time TEXT NOT NULL,
    first_event INTEGER NOT NULL,
    last_event INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX incidents_uid ON incidents (uid);
CREATE UNIQUE INDEX incidents_live ON incidents (key) WHERE state IN ('open', 'acknowledged');

-- Which events of a batch went to which incident, one row a batch and incident.
CREATE TABLE folds (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL, -- the last event of the batch
    incident INTEGER, -- NULL: no route
    count INTEGER NOT NULL,
    events TEXT NOT NULL -- JSON: the ids as ranges [[first, last], ...]
) STRICT;
CREATE INDEX folds_batch ON folds (batch);

-- What became of a fold's events at a destination. `fate` holds once `settled` is 1; until then it is
-- what the events' fate will be when their delivery arrives.
CREATE TABLE fates (
    id INTEGER PRIMARY KEY,
    fold INTEGER NOT NULL,
    destination TEXT NOT NULL,
    delivery INTEGER,
    fate TEXT NOT NULL CHECK (fate IN
        ('sent', 'folded', 'silenced', 'inhibited', 'muted', 'unrouted', 'dead')),
    events INTEGER NOT NULL,
    settled INTEGER NOT NULL CHECK (settled IN (0, 1))
) STRICT;
CREATE INDEX fates_delivery ON fates (delivery) WHERE settled = 0 OR fate = 'dead';

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead', 'discarded')),
    events INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    spacing INTEGER, -- the least time after the last message; NULL: at once
    detail TEXT
) STRICT;
-- At most one open delivery per incident and destination: later events fold into it.
CREATE UNIQUE INDEX deliveries_open ON deliveries (incident, destination) WHERE state = 'pending';
CREATE INDEX deliveries_sending ON deliveries (incident, destination) WHERE state = 'sending';
CREATE INDEX deliveries_due ON deliveries (destination, due) WHERE state = 'pending';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('sent', 'retry', 'dead')),
    detail TEXT NOT NULL,
    report TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_delivery ON attempts (delivery);

-- What stands at a destination for an incident.
CREATE TABLE messages (
    incident INTEGER NOT NULL,
    destination TEXT NOT NULL,
    remote TEXT,
    said INTEGER, -- when it was last said; NULL: not yet, but something stands there
    PRIMARY KEY (incident, destination)
) STRICT, WITHOUT ROWID;

-- Accepted events that could not be decoded later.
CREATE TABLE undecodable (
    event INTEGER PRIMARY KEY,
    reason TEXT NOT NULL
) STRICT;
