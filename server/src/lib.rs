//! The web server of Sandlot. Imports run downwards: `http` → `session`, `course`, `class` → `terminal`.

#![forbid(unsafe_code)]
