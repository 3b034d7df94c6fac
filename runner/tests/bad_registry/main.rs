//! Pulling from and pushing to registries that are broken, hostile or merely peculiar: each gets a clear error that names the thing, and
//! leaves nothing in the store; or the image is there, whole.

#![allow(clippy::unwrap_used)]

mod images;
mod registry;
mod sink;
mod stage;

mod answers;
mod archives;
mod blobs;
mod disk;
mod documents;
mod forms;
mod layers;
mod login;
mod mirror;
mod pushes;
mod resumed;
mod together;
