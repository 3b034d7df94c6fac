//! The same call for each of several things; its name is printed when it is done.

use super::client::{Call, Client};
use super::error::Error;
use super::format;

/// Makes the call for each; one that fails does not keep the others from it.
pub(super) async fn container(
    client: &Client,
    names: &[String],
    call: impl Fn(&str) -> Call,
) -> Result<u8, Error> {
    fallible(client, names, |name| Ok(call(name))).await
}

/// As [`container`], where making the call can fail as well.
pub(super) async fn fallible(
    client: &Client,
    names: &[String],
    call: impl Fn(&str) -> Result<Call, Error>,
) -> Result<u8, Error> {
    let mut all = Failures::default();
    for name in names {
        if all.note(client.done(call(name)?).await)?.is_some() {
            format::line(name)?;
        }
    }
    all.code()
}

/// What went wrong with some of several; all of it is told, and the exit code says it at the end.
#[derive(Debug, Default)]
pub(super) struct Failures(bool);

impl Failures {
    /// Tells a failure; an engine that cannot be reached ends everything.
    pub(super) fn note<T>(&mut self, outcome: Result<T, Error>) -> Result<Option<T>, Error> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(unreachable @ Error::Unreachable { .. }) => Err(unreachable),
            Err(other) => {
                eprintln!("{other}");
                self.0 = true;
                Ok(None)
            }
        }
    }

    /// 0, or that some of it failed.
    pub(super) fn code(self) -> Result<u8, Error> {
        if self.0 { Err(Error::Told) } else { Ok(0) }
    }
}
