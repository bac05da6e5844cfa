-- Everything the hub knows, on PostgreSQL, which several hubs may share. Times are milliseconds since 1970. `migrations/sqlite` is the
-- same in one file; here what grows is partitioned by the cabinet's hash.
CREATE TABLE cabinets (
    id TEXT NOT NULL PRIMARY KEY,
    public_key TEXT NOT NULL,
    enrolled BIGINT NOT NULL,
    revoked BIGINT,
    start TEXT,
    nonce BIGINT,
    -- Earlier starts with their last nonces, as JSON: what is of them comes too late.
    past_starts TEXT NOT NULL DEFAULT '[]',
    presence TEXT NOT NULL DEFAULT 'unknown',
    version TEXT,
    last_seen BIGINT,
    state TEXT,
    state_start TEXT,
    state_seq BIGINT,
    forged BIGINT NOT NULL DEFAULT 0,
    command_number BIGINT NOT NULL DEFAULT 0,
    policy TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE branches (
    cabinet TEXT NOT NULL,
    branch BIGINT NOT NULL,
    parent BIGINT,
    after_seq BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    head_digest BYTEA NOT NULL,
    head_start TEXT NOT NULL,
    PRIMARY KEY (cabinet, branch)
);

CREATE SEQUENCE events_arrival;

CREATE TABLE events (
    arrival BIGINT NOT NULL DEFAULT nextval('events_arrival'),
    cabinet TEXT NOT NULL,
    branch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT,
    time BIGINT NOT NULL,
    received BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (cabinet, seq, branch)
) PARTITION BY HASH (cabinet);
CREATE INDEX events_by_arrival ON events (arrival);
CREATE INDEX events_by_subject ON events (subject) WHERE subject IS NOT NULL;

-- Personal data, encrypted to the office, with what it belongs to; `bytes` is NULL once erased, and stays so.
CREATE TABLE sealed_parts (
    cabinet TEXT NOT NULL,
    digest BYTEA NOT NULL,
    bytes BYTEA,
    consignment TEXT,
    application TEXT,
    person TEXT,
    received BIGINT NOT NULL,
    erased BIGINT,
    PRIMARY KEY (cabinet, digest)
) PARTITION BY HASH (cabinet);
CREATE INDEX sealed_parts_by_consignment ON sealed_parts (consignment) WHERE consignment IS NOT NULL;
CREATE INDEX sealed_parts_by_application ON sealed_parts (application) WHERE application IS NOT NULL;
CREATE INDEX sealed_parts_by_person ON sealed_parts (person) WHERE person IS NOT NULL;
CREATE INDEX sealed_parts_kept ON sealed_parts (received) WHERE bytes IS NOT NULL;

CREATE TABLE consignments (
    cabinet TEXT NOT NULL,
    branch BIGINT NOT NULL,
    id TEXT NOT NULL,
    direction TEXT NOT NULL,
    state TEXT NOT NULL,
    compartment BIGINT NOT NULL,
    application TEXT,
    item TEXT,
    person TEXT,
    unverified BOOLEAN NOT NULL DEFAULT FALSE,
    generation BIGINT NOT NULL DEFAULT 0,
    arrived BIGINT NOT NULL,
    left_at BIGINT,
    hold_until BIGINT,
    changed BIGINT NOT NULL,
    changed_seq BIGINT NOT NULL,
    PRIMARY KEY (cabinet, branch, id)
) PARTITION BY HASH (cabinet);
CREATE INDEX consignments_by_id ON consignments (id);
CREATE INDEX consignments_by_change ON consignments (changed);
CREATE INDEX consignments_by_person ON consignments (person) WHERE person IS NOT NULL;

CREATE TABLE applications (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT,
    items TEXT NOT NULL,
    size TEXT NOT NULL,
    compartments BIGINT NOT NULL,
    pass TEXT NOT NULL,
    registered BIGINT NOT NULL
);

CREATE TABLE staff (
    id TEXT NOT NULL PRIMARY KEY,
    roles TEXT NOT NULL,
    pin TEXT NOT NULL,
    badge TEXT,
    scope TEXT NOT NULL,
    expires BIGINT NOT NULL,
    pass TEXT NOT NULL
);

CREATE TABLE passes (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    generation BIGINT NOT NULL DEFAULT 0,
    text TEXT NOT NULL,
    issued BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT,
    used_at TEXT,
    used BIGINT
);
CREATE INDEX passes_by_subject ON passes (subject);

CREATE TABLE expected (
    cabinet TEXT NOT NULL,
    consignment TEXT NOT NULL,
    application TEXT NOT NULL,
    person TEXT NOT NULL,
    size TEXT NOT NULL,
    named BIGINT NOT NULL,
    PRIMARY KEY (cabinet, consignment)
);

-- What was last signed for a cabinet: the same content keeps its version.
CREATE TABLE documents (
    cabinet TEXT NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    content TEXT NOT NULL,
    reported_version BIGINT,
    refused TEXT,
    PRIMARY KEY (cabinet, name)
);

CREATE TABLE commands (
    cabinet TEXT NOT NULL,
    number BIGINT NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    issued BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    reply TEXT,
    replied BIGINT,
    PRIMARY KEY (cabinet, number)
);

CREATE TABLE alarms (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cabinet TEXT NOT NULL,
    alarm TEXT NOT NULL,
    source TEXT NOT NULL,
    compartment BIGINT,
    raised BIGINT NOT NULL,
    last BIGINT NOT NULL,
    times BIGINT NOT NULL DEFAULT 1,
    cleared BIGINT
);
-- An alarm that stands stands once.
CREATE UNIQUE INDEX alarms_standing ON alarms (cabinet, alarm, source, COALESCE(compartment, -1)) WHERE cleared IS NULL;
CREATE INDEX alarms_by_time ON alarms (last);

-- What webhooks still owe; the payload is composed when it is sent, so that no personal data waits here.
CREATE TABLE webhook_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook TEXT NOT NULL,
    kind TEXT NOT NULL,
    cabinet TEXT NOT NULL,
    branch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    consignment TEXT NOT NULL,
    created BIGINT NOT NULL,
    due BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    sent BIGINT
);
CREATE INDEX webhook_outbox_due ON webhook_outbox (webhook, id) WHERE sent IS NULL;

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE sealed_parts_%s PARTITION OF sealed_parts FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE consignments_%s PARTITION OF consignments FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
    END LOOP;
END $$;

-- Rows that change with every message stay on their page.
ALTER TABLE cabinets SET (fillfactor = 50);
ALTER TABLE branches SET (fillfactor = 50);
