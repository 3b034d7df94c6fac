//! The processes of a container, in the columns that ps(1) would show: `docker top CONTAINER [ps options]`.
//!
//! Docker runs the host's `ps` and keeps the container's lines. Here nothing is run: the options that say which columns are
//! read ([`columns`]), and the columns are filled from `/proc` ([`process`]), with the container's own ids.

mod columns;
mod process;

use super::Engine;
use super::error::{Doing, Error};

/// What is shown of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub titles: Vec<String>,
    /// A row a process.
    pub rows: Vec<Vec<String>>,
}

impl Engine {
    /// The processes of a container; `options` are those of `ps`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run, [`Error::Invalid`] for options that are not understood.
    pub fn top(&self, key: &str, options: &str) -> Result<Table, Error> {
        let container = self.find(key)?;
        let pids = container
            .with_group(crate::container::cgroup::Group::pids)?
            .map_err(std::io::Error::other)
            .doing(|| "reading the control group".into())?;
        let columns = columns::of(options).map_err(Error::Invalid)?;
        if !columns.iter().any(|column| column.title == "PID") {
            return Err(Error::invalid("Couldn't find PID field in ps output"));
        }
        let base = container.slot.range().base;
        let row = |process: process::Process| columns.iter().map(|c| process.cell(c.content)).collect();
        // One that has just ended is left out.
        let rows = pids.into_iter().filter_map(|pid| process::Process::read(pid, base)).map(row).collect();
        Ok(Table { titles: columns.into_iter().map(|column| column.title).collect(), rows })
    }
}
