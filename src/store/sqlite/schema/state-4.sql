-- What a destination that takes digests was told last, and up to which event.
CREATE TABLE digests (
    destination TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    event INTEGER NOT NULL,
    report TEXT NOT NULL
) STRICT, WITHOUT ROWID;
