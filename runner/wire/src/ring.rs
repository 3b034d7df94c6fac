//! The ring file of a terminal: what it printed, kept across the death of whoever reads it.
