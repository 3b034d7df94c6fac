-- When a session's first prompt was there, in seconds since 1970, and what it used in all, as JSON.
ALTER TABLE sessions ADD COLUMN started_at BIGINT;
ALTER TABLE sessions ADD COLUMN used TEXT;
