//! A terminal: pty ⇄ viewers. Screen state, replay, flow control.
//!
//! Knows neither HTTP nor the engine: it is handed a pty's master and a ring.

pub mod protocol;
