//! The web server's face: routes, authentication, pages, errors.
//!
//! Knows how requests look; what they mean is the business of [`crate::terminal`] and of the sessions.

pub mod body;
