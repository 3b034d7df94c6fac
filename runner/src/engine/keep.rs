//! Work that is kept: what a session wrote becomes an image under a name that no other image can have.

use super::Engine;
use super::commit::{CommitError, Wish};
use super::error::{Doing, Error};
use crate::image::{self, Force, Use};
use sandlot_wire::{KEPT, Keep, Kept};

/// The longest name.
const NAME: usize = 64;

/// The most layers of an image of which one more is made: an overlay has 500 at most, and each costs a start some time.
const LAYERS: usize = 60;

/// The most images of kept work: whoever took the web server over could make no more.
const IMAGES: usize = 4096;

impl Engine {
    /// Makes an image of what a session wrote. The session stands still meanwhile.
    ///
    /// # Errors
    /// [`CommitError`]: it wrote more than may be kept, the name, the disk.
    pub async fn keep(&self, key: &str, wanted: Keep) -> Result<Kept, CommitError> {
        let (engine, key) = (self.clone(), key.to_owned());
        let making = self.keeping.clone().read_owned().await;
        // To its end, also if nobody waits any more: who asks to forget it then must find it.
        let kept = tokio::spawn(async move {
            let kept = engine.make_kept(&key, &wanted).await;
            drop(making);
            kept
        });
        kept.await.map_err(std::io::Error::other).doing(|| "keeping work".into())?
    }

    async fn make_kept(&self, key: &str, wanted: &Keep) -> Result<Kept, CommitError> {
        let container = self.find(key)?;
        let reference = kept_name(&wanted.name)?;
        let size = self.meter(&container.id).await?.disk_used;
        if size > wanted.most {
            let (size, most) = (size >> 20, wanted.most >> 20);
            let words = format!(
                "the session wrote {size} MiB, and {most} MiB may be kept: delete what is not needed"
            );
            return Err(Error::Conflict(words).into());
        }
        let on = self.images.resolve(&container.record().image)?;
        let all = self.images.list()?;
        if all.iter().filter(|one| one.tags.iter().any(|tag| tag.starts_with(KEPT))).count() >= IMAGES {
            return Err(Error::Conflict(format!("{IMAGES} works are kept: delete some")).into());
        }
        if on.layers.len() >= LAYERS {
            let words = format!("work was kept upon kept work more often than is possible ({LAYERS} layers)");
            return Err(Error::Conflict(words).into());
        }
        let name =
            reference.parse().map_err(|_| Error::Invalid(format!("{reference:?} is no name of an image")))?;
        let wish = Wish { name: Some(name), comment: "kept work".to_owned(), ..Wish::default() };
        let id = self.commit(&container.id, wish).await?;
        let made = self.images.resolve(&id)?;
        Ok(Kept { reference, size: made.size.saturating_sub(on.size) })
    }

    /// Removes kept work that no session runs from; of what is being made just now, its end is waited for.
    ///
    /// # Errors
    /// [`CommitError`]: the name, an image that is used; one that is not there is removed.
    pub async fn forget_kept(&self, name: &str) -> Result<(), CommitError> {
        let reference = kept_name(name)?;
        let _none_is_made = self.keeping.write().await;
        let used = |id: &image::Digest| {
            let id = id.to_string();
            let users = self.containers().into_iter().filter(|container| container.record().image == id);
            users.map(|container| Use::Running(container.id.clone())).next()
        };
        match self.images.remove(&reference, Force::No, used) {
            Ok(_) | Err(image::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The reference of kept work; its name can lead to no other image.
fn kept_name(name: &str) -> Result<String, Error> {
    let hex = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if name.is_empty() || name.len() > NAME || !hex {
        return Err(Error::Invalid(format!("{name:?} is no name of kept work: hexadecimal digits are")));
    }
    Ok(format!("{KEPT}{name}:latest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_to_another_image() {
        assert_eq!(kept_name("0a").unwrap(), "sandlot-kept/0a:latest");
        for wrong in ["", "../starter", "0A", "a/b", "a:b", &"a".repeat(65)] {
            assert!(kept_name(wrong).is_err(), "{wrong}");
        }
    }
}
