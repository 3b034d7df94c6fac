-- One row for work that a visitor kept: an image of the engine's, made of a session. Times are seconds since 1970.
CREATE TABLE kept (
    node TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    base TEXT NOT NULL,
    profile TEXT NOT NULL,
    reference TEXT NOT NULL,
    session TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (node, id)
);
