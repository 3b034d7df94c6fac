//! Asking before something is removed that nobody named.

use super::error::Error;
use std::io::{IsTerminal, Write};

/// Goes on if `forced`, or if who sits at the terminal says yes.
pub(super) fn or_stop(forced: bool, warning: &str) -> Result<(), Error> {
    if forced {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::Invalid("nobody can be asked here: give --force".into()));
    }
    let failed = || Error::io("the terminal");
    let mut out = std::io::stderr();
    write!(out, "WARNING! {warning}\nAre you sure you want to continue? [y/N] ").map_err(failed())?;
    out.flush().map_err(failed())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed())?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Error::Told) }
}
