-- What visitors passed in labs, the sessions that belong to labs, and each visitor's values of variables. Times are seconds since 1970.
CREATE TABLE progress (
    owner TEXT NOT NULL,
    course TEXT NOT NULL,
    lab TEXT NOT NULL,
    step TEXT NOT NULL,
    part TEXT NOT NULL,
    tries BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    passed_at BIGINT,
    PRIMARY KEY (owner, course, lab, step, part)
);
CREATE TABLE lab_sessions (
    session TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    course TEXT NOT NULL,
    lab TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE lab_values (
    owner TEXT NOT NULL,
    course TEXT NOT NULL,
    lab TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (owner, course, lab, name)
);
