//! Containers as a whole: lifecycle, state on disk, events, statistics; knows no HTTP.
