-- The generation of the newest keys that have signed documents: hubs with older ones sign none.
CREATE TABLE key_generation (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation BIGINT NOT NULL
);
-- Until when a cabinet's newest certificate counts.
ALTER TABLE cabinets ADD COLUMN certificate_ends BIGINT;
