-- What varies among the alerts of an incident: JSON, [{field, values: [[value, count], ...], others}].
ALTER TABLE incidents ADD COLUMN spread TEXT NOT NULL DEFAULT '[]';
CREATE INDEX incidents_health ON incidents (last_received) WHERE nature = 'health';
