//! The images that a build begins with: those that are here, and those that are fetched.

use super::error::Error;
use super::report::Told;
use super::request::{Fetch, Request};
use super::state::State;
use crate::engine::Engine;
use crate::image::{Digest, Event, Image, Platform, Progress, Pull, Reference, Step};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// See the module.
pub(super) struct Bases<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a Request,
    pub(super) out: mpsc::Sender<Told>,
}

impl Bases<'_> {
    /// An image by its name.
    pub(super) async fn image(&self, name: &str, platform: Option<&str>) -> Result<State, Error> {
        let platform = match platform {
            Some(text) => text.parse().map_err(|e| Error::invalid(format!("{e}")))?,
            None => self.request.platform.clone(),
        };
        if self.request.fetch == Fetch::Missing
            && let Ok(image) = self.engine.images.resolve(name)
            && platform.accepts(&of(&image))
        {
            return self.state(&image);
        }
        let reference: Reference = name
            .parse()
            .map_err(|e| Error::invalid(format!("failed to parse stage name \"{name}\": {e}")))?;
        let credentials = self.request.credentials.get(reference.registry()).cloned();
        let insecure = &self.engine.settings.insecure_registries;
        let pull = Pull { reference: &reference, platform: &platform, credentials, insecure };
        let id = self.engine.images.pull(pull, &Lines(self.out.clone())).await?;
        self.engine.events.tell(
            "image",
            "pull",
            id.to_string(),
            [("name".to_owned(), name.to_owned())].into(),
        );
        self.state(&self.engine.images.resolve(&id.to_string())?)
    }

    fn state(&self, image: &Image) -> Result<State, Error> {
        let images = &self.engine.images;
        let hold = images.hold_image(image);
        let layers = image.config.rootfs().diff_ids().iter().map(|id| id.parse::<Digest>());
        let layers = layers.collect::<Result<Vec<_>, _>>().map_err(|e| Error::invalid(e.to_string()))?;
        let mut state = State::of(images.document(&image.id)?, layers, image.size, Some(image.id));
        state.holds.push(Arc::new(hold));
        Ok(state)
    }
}

fn of(image: &Image) -> Platform {
    Platform {
        os: image.config.os().to_string(),
        architecture: image.config.architecture().to_string(),
        variant: image.config.variant().clone(),
    }
}

/// Tells of a pull; what nobody has the time to read is left out.
struct Lines(mpsc::Sender<Told>);

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Begin { tag, name } => json!({ "status": format!("Pulling from {name}"), "id": tag }),
            Event::Digest(digest) => json!({ "status": format!("Digest: {digest}") }),
            Event::Status(words) => json!({ "status": words }),
            Event::Layer { id, step } => match step {
                Step::Downloading { current, total } | Step::Extracting { current, total } => json!({
                    "status": step.status(), "id": id,
                    "progressDetail": { "current": current, "total": total },
                }),
                _ => json!({ "status": step.status(), "id": id, "progressDetail": {} }),
            },
            // Nothing is pushed here.
            Event::Mounted { .. } | Event::Pushed { .. } => return,
        };
        self.0.try_send(Told::Pull(line)).unwrap_or_default();
    }
}
