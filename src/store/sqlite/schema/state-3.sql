-- When an incident was opened or reopened, whether its latest alert was kept from being said for a
-- time, and how many escalations it has seen since.
ALTER TABLE incidents ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
UPDATE incidents SET opened = first_received;
ALTER TABLE incidents ADD COLUMN hushed INTEGER NOT NULL DEFAULT 0 CHECK (hushed IN (0, 1));
ALTER TABLE incidents ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;

-- How many events an event stands for: of a storm, not all are kept as posted.
ALTER TABLE events ADD COLUMN stands_for INTEGER NOT NULL DEFAULT 1;

-- How many events of an incident were not said when they came, and why.
CREATE TABLE hidden (
    incident INTEGER NOT NULL REFERENCES incidents (id),
    fate TEXT NOT NULL CHECK (fate IN ('silenced', 'inhibited', 'muted')),
    silence INTEGER NOT NULL, -- 0: none
    events INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)), -- 1: told since it ended
    PRIMARY KEY (incident, fate, silence)
) STRICT, WITHOUT ROWID;
CREATE INDEX hidden_muted ON hidden (incident) WHERE fate = 'muted' AND told = 0;

-- When a source of inhibition last fired.
CREATE TABLE inhibiting (
    key BLOB PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is no news under a silence.
CREATE TABLE silence_known (
    silence INTEGER NOT NULL REFERENCES silences (id),
    what TEXT NOT NULL CHECK (what IN ('rule', 'workload', 'severity')),
    value TEXT NOT NULL,
    PRIMARY KEY (silence, what, value)
) STRICT, WITHOUT ROWID;

-- What broke through a silence.
CREATE TABLE despite (
    incident INTEGER NOT NULL REFERENCES incidents (id),
    silence INTEGER NOT NULL REFERENCES silences (id),
    what TEXT NOT NULL CHECK (what IN ('rule', 'workload', 'severity')),
    value TEXT NOT NULL,
    PRIMARY KEY (incident, silence, what, value)
) STRICT, WITHOUT ROWID;

-- What sends events, and when it last did.
CREATE TABLE sensors (
    hostname TEXT PRIMARY KEY,
    last INTEGER NOT NULL,
    beat INTEGER, -- when it last sent a metrics snapshot
    every INTEGER, -- nanoseconds between its latest two
    lost INTEGER, -- what it had lost by then, since it started
    silent INTEGER NOT NULL DEFAULT 0 CHECK (silent IN (0, 1)) -- 1: told
) STRICT, WITHOUT ROWID;
