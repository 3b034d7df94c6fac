//! Sandlot from outside: what the end-to-end tests, the browser's tests and the benchmark share.

#![forbid(unsafe_code)]
