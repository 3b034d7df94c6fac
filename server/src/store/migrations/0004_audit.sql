-- Who did what, numbered by the node that noted it; times are seconds since 1970.
CREATE TABLE audit (
    node TEXT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    session TEXT,
    detail TEXT,
    PRIMARY KEY (node, id)
);
CREATE INDEX audit_by_session ON audit (node, session);
