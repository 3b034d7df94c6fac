-- One row a session; times are seconds since 1970. Written so that SQLite and PostgreSQL both take it.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,
    owner TEXT NOT NULL,
    image TEXT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    message TEXT,
    container TEXT,
    extensions BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_by_node ON sessions (node, ended_at);
