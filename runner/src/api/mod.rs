//! The Docker Engine API over a unix socket, and Sandlot's extension endpoints; knows HTTP and the engine, nothing below.
