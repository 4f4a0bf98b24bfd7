-- CRC-32 of id, time and body, so that damage on the disk is noticed; NULL in rows of older versions.
ALTER TABLE inbox ADD COLUMN sum INTEGER;
