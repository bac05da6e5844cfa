-- The key that a cabinet is about to sign with: both count until a message of it is stored. What signed before can still be checked.
ALTER TABLE cabinets ADD COLUMN next_key TEXT;
ALTER TABLE cabinets ADD COLUMN past_keys TEXT NOT NULL DEFAULT '';
