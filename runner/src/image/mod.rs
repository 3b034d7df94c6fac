//! From a reference to unpacked layers: registry client, content store, unpacking, archives, the embedded starter.
//!
//! [`Store`] is the face of it: images come in by pulling, loading or importing, are given out by
//! [`Store::resolve`] as directories of unpacked layers, and go by pushing and saving. It knows no container, no HTTP server and no user interface.

mod ahead;
mod archive;
mod beyond;
mod busy;
mod commit;
mod credentials;
mod digest;
pub mod distribution;
mod download;
mod dress;
mod error;
mod gzip;
mod hold;
pub mod inflate;
mod instruction;
mod manifest;
mod meter;
pub mod pack;
mod packed;
pub mod place;
mod platform;
mod progress;
mod pull;
mod push;
mod reference;
mod registry;
mod remote;
pub mod remove;
mod save;
pub mod shared;
pub mod starter;
pub mod steps;
mod store;
pub mod tree;
mod unpack;
mod untag;
mod upload;

pub use beyond::Beyond;
pub use commit::Commit;
pub use credentials::{Credentials, Keyring};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use error::Error;
pub use hold::Hold;
pub use meter::Limits;
pub use platform::{ParsePlatformError, Platform};
pub use progress::{Event, Progress, Step};
pub use pull::Pull;
pub use push::Push;
pub use reference::{ParseReferenceError, Reference, with_tag};
pub use registry::{Client as RegistryClient, Error as RegistryError};
pub use remote::Description;
pub use store::{Image, Store};
pub use unpack::{Error as UnpackError, unpack};
pub use untag::{Force, Removed, Use};
