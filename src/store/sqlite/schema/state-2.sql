-- What varies among the alerts of an incident: JSON, [{field, values: [[value, count], ...], others}].
ALTER TABLE incidents ADD COLUMN spread TEXT NOT NULL DEFAULT '[]';
CREATE INDEX incidents_health ON incidents (last_received) WHERE nature = 'health';

-- The newest incident of a key, quiet ones included: a new alert may reopen it.
CREATE INDEX incidents_key ON incidents (key);
