//! Who asks: a visitor by a signed cookie, the administrator by a token.
//!
//! A visitor needs no account: the first request gets a random id in a cookie that only this server can make. Knows no
//! session.

use super::App;
use crate::session::policy::Caller;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::Response;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use subtle::ConstantTimeEq;

use super::problem::Failure;

/// The cookie's name.
pub(super) const COOKIE: &str = "sandlot";

/// How long a browser keeps the cookie, in seconds: a year.
const MAX_AGE: u32 = 365 * 24 * 3600;

/// Bytes of a visitor's id, of a key and of a token that is made.
const ID: usize = 16;
const KEY: usize = 32;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of a key cannot be read or made.
    #[error("cannot keep a key in {file}: {error}")]
    File {
        /// Which.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// Whether the administrator's token was made just now, and is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// It was given, or made before.
    Known,
    /// It was made just now.
    Made,
}

/// The key that signs cookies, and the administrator's token.
#[derive(Clone)]
pub struct Keys {
    key: Vec<u8>,
    token: String,
}

impl Keys {
    /// The keys kept in a folder, made where they are not there, readable by this user alone.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(folder: &Path, token: Option<String>) -> Result<(Self, Token), Error> {
        let (key, _) = kept(&folder.join("cookie.key"))?;
        let (token, made) = match token {
            Some(token) => (token, Token::Known),
            None => kept(&folder.join("admin.token"))?,
        };
        Ok((Self { key: key.into_bytes(), token }, made))
    }

    /// The administrator's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether this is the administrator's token; takes as long whatever it is.
    #[must_use]
    pub fn is_token(&self, token: &str) -> bool {
        self.token.as_bytes().ct_eq(token.as_bytes()).into()
    }

    fn mac(&self, name: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(name.as_bytes());
        Some(mac)
    }

    fn sign(&self, caller: &Caller) -> Option<String> {
        let name = caller.name();
        Some(format!("{name}.{}", hex::encode(self.mac(name)?.finalize().into_bytes())))
    }

    /// What proves that this server wrote `words`.
    pub(super) fn seal(&self, words: &str) -> Option<String> {
        Some(hex::encode(self.mac(words)?.finalize().into_bytes()))
    }

    /// Whether that is proven; takes as long whatever it is.
    pub(super) fn is_seal(&self, words: &str, seal: &str) -> bool {
        let verify = || self.mac(words)?.verify_slice(&hex::decode(seal).ok()?).ok();
        verify().is_some()
    }

    /// The share link and the number of a guest, by their cookie.
    pub(super) fn guest(&self, headers: &HeaderMap) -> Option<(String, i64)> {
        let mut values = cookies(headers, super::shares::COOKIE);
        values.find_map(|value| {
            let (name, seal) = value.rsplit_once('.')?;
            self.mac(&format!("share {name}"))?.verify_slice(&hex::decode(seal).ok()?).ok()?;
            let (share, number) = name.split_once('.')?;
            Some((share.to_owned(), number.parse().ok()?))
        })
    }

    fn verify(&self, value: &str) -> Option<Caller> {
        let (name, signature) = value.split_once('.')?;
        self.mac(name)?.verify_slice(&hex::decode(signature).ok()?).ok()?;
        Some(Caller::named(name))
    }

    /// Who sent these headers; `None`: nobody known. A wrong token is an error, not a visitor.
    fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, Failure> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            return match token {
                Some(token) if self.is_token(token) => Ok(Some(Caller::Administrator)),
                _ => Err(Failure::new(StatusCode::UNAUTHORIZED, "this token is not known here")),
            };
        }
        Ok(cookies(headers, COOKIE).next().and_then(|value| self.verify(value)))
    }
}

/// The values of a request's cookies of that name.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

/// A random value kept in a file.
fn kept(file: &Path) -> Result<(String, Token), Error> {
    let failed = |error| Error::File { file: file.display().to_string(), error };
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().len() >= KEY => return Ok((text.trim().to_owned(), Token::Known)),
        Ok(_) => {
            return Err(failed(std::io::Error::other("it is too short: remove it, and a new one is made")));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (),
        Err(error) => return Err(failed(error)),
    }
    let mut random = [0; KEY];
    getrandom::fill(&mut random)?;
    let text = hex::encode(random);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| made.write_all(text.as_bytes())).map_err(failed)?;
    Ok((text, Token::Made))
}

/// Finds out who asks; a newcomer gets a cookie.
pub(super) async fn identify(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let known = app.keys.caller(request.headers())?;
    if !app.sessions.voids().is_empty() && known != Some(Caller::Administrator) {
        let detail = "a stock Docker engine runs the sessions here, for development: open the administrator's address, \
            or send the token";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, detail));
    }
    let newcomer = known.is_none();
    let caller = match known {
        Some(caller) => caller,
        None => {
            let mut id = [0; ID];
            getrandom::fill(&mut id).map_err(crate::session::Error::from)?;
            Caller::Visitor(hex::encode(id))
        }
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    if newcomer && let Some(cookie) = cookie(&app, &caller) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The cookie by which a caller is known again.
pub(super) fn cookie(app: &App, caller: &Caller) -> Option<HeaderValue> {
    let secure = app.web.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let value = app.keys.sign(caller)?;
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax{secure}");
    cookie.parse().ok()
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Failure::new(StatusCode::UNAUTHORIZED, "nobody knows who asks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_here_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (keys, made) = Keys::open(dir.path(), None).unwrap();
        assert_eq!(made, Token::Made);
        let visitor = Caller::Visitor("0123".to_owned());
        let value = keys.sign(&visitor).unwrap();
        assert_eq!(keys.verify(&value), Some(visitor));
        let signature = value.split_once('.').unwrap().1;
        assert_eq!(keys.verify(&format!("administrator.{signature}")), None);
        assert_eq!(keys.verify("0123."), None);
        assert_eq!(keys.verify(""), None);
        let (again, made) = Keys::open(dir.path(), None).unwrap();
        assert_eq!((again.token(), made), (keys.token(), Token::Known));
        assert!(again.verify(&value).is_some());
        let (other, _) = Keys::open(tempfile::tempdir().unwrap().path(), None).unwrap();
        assert_eq!(other.verify(&value), None);
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Keys::open(dir.path(), None).unwrap();
        for file in ["cookie.key", "admin.token"] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}
