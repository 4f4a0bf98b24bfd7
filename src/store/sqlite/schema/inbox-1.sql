CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    received INTEGER NOT NULL, -- nanoseconds since 1970
    body BLOB NOT NULL
) STRICT;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    reason TEXT NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
