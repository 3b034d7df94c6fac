-- One row a recorded terminal; times are seconds since 1970, lengths milliseconds.
CREATE TABLE recordings (
    session TEXT NOT NULL,
    terminal TEXT NOT NULL,
    node TEXT NOT NULL,
    owner TEXT NOT NULL,
    title TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    length BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    indexed BIGINT NOT NULL,
    PRIMARY KEY (session, terminal)
);
CREATE INDEX recordings_by_owner ON recordings (owner, started_at);

-- The lines that recordings show, and an index of all their parts of three letters or more. The index is SQLite's own
-- (FTS5); PostgreSQL has pg_trgm for the same.
CREATE TABLE shown (
    id INTEGER NOT NULL PRIMARY KEY,
    session TEXT NOT NULL,
    terminal TEXT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX shown_by_recording ON shown (session, terminal);
CREATE VIRTUAL TABLE shown_text USING fts5 (text, content = 'shown', content_rowid = 'id', tokenize = 'trigram');
CREATE TRIGGER shown_added AFTER INSERT ON shown BEGIN
    INSERT INTO shown_text (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER shown_removed AFTER DELETE ON shown BEGIN
    INSERT INTO shown_text (shown_text, rowid, text) VALUES ('delete', old.id, old.text);
END;
