//! The same call for each of several containers; its name is printed when it is done.

use super::client::{Call, Client};
use super::error::Error;
use super::format;

/// Makes the call for each; one that fails does not keep the others from it.
pub(super) async fn container(
    client: &Client,
    names: &[String],
    call: impl Fn(&str) -> Call,
) -> Result<u8, Error> {
    let mut failed = false;
    for name in names {
        match client.done(call(name)).await {
            Ok(()) => format::line(name)?,
            Err(unreachable @ Error::Unreachable { .. }) => return Err(unreachable),
            Err(refused) => {
                eprintln!("{refused}");
                failed = true;
            }
        }
    }
    if failed { Err(Error::Told) } else { Ok(0) }
}
