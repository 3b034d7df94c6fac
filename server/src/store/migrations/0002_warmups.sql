-- One row for the sessions of a kind that are to be ready until a time, in seconds since 1970.
CREATE TABLE warmups (
    node TEXT NOT NULL,
    image TEXT NOT NULL,
    profile TEXT NOT NULL,
    count BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (node, image, profile)
);
