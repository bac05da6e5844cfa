-- A pass opens doors, so what is kept of it is what it says, without the signature that makes it one.
ALTER TABLE passes RENAME COLUMN text TO claims;
