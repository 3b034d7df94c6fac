//! What the end-to-end tests share: processes, registries, images.
