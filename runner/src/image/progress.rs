//! What a pull, a push or a load tells while it goes on, in the words of Docker's JSON lines; knows no terminal.

use super::Digest;

/// Receives the events of one operation; called from several threads.
pub trait Progress: Send + Sync {
    /// Something happened; must return quickly.
    fn event(&self, event: Event<'_>);
}

/// Nobody listens.
impl Progress for () {
    fn event(&self, _: Event<'_>) {}
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The pull of `name` (repository without registry defaults) began; `tag` is its tag or digest.
    Begin {
        /// Tag or digest.
        tag: &'a str,
        /// Repository, in full.
        name: &'a str,
    },
    /// Something happened to a layer; `id` is its blob's short digest, or, when pushing, its short diff id.
    Layer {
        /// Twelve hexadecimal digits.
        id: &'a str,
        /// What happened.
        step: Step,
    },
    /// A layer came from another repository of the same registry.
    Mounted {
        /// Twelve hexadecimal digits.
        id: &'a str,
        /// Which repository.
        from: &'a str,
    },
    /// An image is in the registry.
    Pushed {
        /// Under this tag.
        tag: &'a str,
        /// With this manifest.
        digest: Digest,
        /// Which has so many bytes.
        size: u64,
    },
    /// The digest of the manifest that the reference stands for.
    Digest(Digest),
    /// A closing line: `Downloaded newer image for …`, `Loaded image: …`.
    Status(&'a str),
}

/// What happened to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It will be sent.
    Preparing,
    /// Bytes are on their way to the registry.
    Pushing {
        /// Bytes so far.
        current: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The registry has it now.
    Pushed,
    /// The registry had it before.
    There,
    /// It will be fetched.
    Pulling,
    /// Somebody else fetches the same layer, or others are sent before it.
    Waiting,
    /// Bytes arrive.
    Downloading {
        /// Bytes so far.
        current: u64,
        /// Bytes in all.
        total: u64,
    },
    /// What broke off is tried again after so many seconds.
    Retrying {
        /// Seconds until then, rounded up.
        seconds: u64,
    },
    /// All bytes are here and their digest is compared.
    Verifying,
    /// The blob is complete and right.
    Downloaded,
    /// The blob is being unpacked; with a pull this happens while it arrives.
    Extracting {
        /// Compressed bytes so far.
        current: u64,
        /// Compressed bytes in all.
        total: u64,
    },
    /// The layer is ready to use.
    Complete,
    /// The layer was here before.
    Exists,
}

impl Step {
    /// Docker's word for it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Preparing => "Preparing",
            Self::Pushing { .. } => "Pushing",
            Self::Pushed => "Pushed",
            Self::There => "Layer already exists",
            Self::Pulling => "Pulling fs layer",
            Self::Waiting => "Waiting",
            Self::Downloading { .. } => "Downloading",
            Self::Retrying { .. } => "Retrying",
            Self::Verifying => "Verifying Checksum",
            Self::Downloaded => "Download complete",
            Self::Extracting { .. } => "Extracting",
            Self::Complete => "Pull complete",
            Self::Exists => "Already exists",
        }
    }
}
