-- Events that a cabinet has said it can never send: its journal was damaged, or does not reach back so far any more.
CREATE TABLE lost (
    cabinet TEXT NOT NULL,
    branch BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (cabinet, branch, first_seq)
);
