-- Links by which others come to a session. The token itself is known to its holders alone.
CREATE TABLE shares (
    id TEXT NOT NULL PRIMARY KEY,
    session TEXT NOT NULL,
    mode TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX shares_by_session ON shares (session);

-- Who came by them: browsers, numbered within the session.
CREATE TABLE guests (
    session TEXT NOT NULL,
    number BIGINT NOT NULL,
    share TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (session, number)
);
CREATE INDEX guests_by_share ON guests (share);
