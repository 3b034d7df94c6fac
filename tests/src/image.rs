//! Images made here, out of Debian packages: root filesystems, and OCI layouts of them.
//!
//! What is slow to make is kept under `SANDLOT_TESTS_CACHE`, or `/var/cache/sandlot-tests`.

use crate::process::run;
use anyhow::{Context, Result};
use rustix::fs::FlockOperation;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// Makes a root filesystem of `busybox-static` with its applets.
///
/// # Errors
/// When the package is missing or the folder cannot be written.
pub fn busybox(root: &Path) -> Result<()> {
    for folder in ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "home/user"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).context("is busybox-static installed?")?;
    let applets = run(Command::new("/bin/busybox").arg("--list"))?;
    for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet))?;
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    )?;
    std::fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\n")?;
    std::fs::set_permissions(root.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    std::os::unix::fs::chown(root.join("home/user"), Some(1000), Some(1000))?;
    Ok(())
}

/// A minimal Debian by `debootstrap`, made once and kept.
///
/// # Errors
/// When `debootstrap` fails, by want of a mirror for one.
pub fn debian() -> Result<PathBuf> {
    let cache =
        PathBuf::from(std::env::var_os("SANDLOT_TESTS_CACHE").unwrap_or("/var/cache/sandlot-tests".into()));
    std::fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("lock"))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    let root = cache.join("debian");
    if !root.exists() {
        let half = cache.join("debian.half");
        if half.exists() {
            std::fs::remove_dir_all(&half)?;
        }
        run(Command::new("debootstrap").args(["--variant=minbase", "stable"]).arg(&half).args(mirror()?))?;
        std::fs::rename(&half, &root)?;
    }
    Ok(root)
}

/// The mirror that this machine's own packages come from.
fn mirror() -> Result<Option<String>> {
    let list = run(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CREATED_BY) $(RELEASE) $(REPO_URI)",
    ]))?;
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    let mirror = text.lines().filter_map(|line| line.strip_prefix("Packages ")).find_map(|line| {
        let (release, address) = line.split_once(' ')?;
        (!release.contains(['-', '/'])).then(|| address.to_owned())
    });
    Ok(mirror)
}

/// An image being put together as an OCI layout in a folder.
#[derive(Debug)]
pub struct Layout {
    folder: PathBuf,
    layers: Vec<Value>,
    diff_ids: Vec<String>,
}

impl Layout {
    /// Starts an empty one.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Self { folder: folder.to_owned(), layers: Vec::new(), diff_ids: Vec::new() })
    }

    /// Adds what stands in `root` as the next layer.
    ///
    /// # Errors
    /// When `tar` or the compressor fails.
    pub fn layer(mut self, root: &Path, compression: Compression) -> Result<Self> {
        let tar = self.folder.join("layer.tar");
        run(Command::new("tar")
            .arg("--create")
            .arg("--numeric-owner")
            .arg("--sort=name")
            .arg("--file")
            .arg(&tar)
            .arg("-C")
            .arg(root)
            .arg("."))?;
        let diff_id = digest(&std::fs::read(&tar)?);
        let (file, kind) = match compression {
            Compression::None => (tar, "application/vnd.oci.image.layer.v1.tar"),
            Compression::Gzip => {
                run(Command::new("gzip").args(["-1", "-f"]).arg(&tar))?;
                (self.folder.join("layer.tar.gz"), "application/vnd.oci.image.layer.v1.tar+gzip")
            }
            Compression::Zstd => {
                run(Command::new("zstd").args(["-q", "--rm", "-f"]).arg(&tar))?;
                (self.folder.join("layer.tar.zst"), "application/vnd.oci.image.layer.v1.tar+zstd")
            }
        };
        let descriptor = self.blob(&std::fs::read(&file)?, kind)?;
        std::fs::remove_file(file)?;
        self.layers.push(descriptor);
        self.diff_ids.push(diff_id);
        Ok(self)
    }

    /// Writes configuration (`config`: `Cmd`, `Env`, …), manifest and index; answers the layout's folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self, config: &Value) -> Result<PathBuf> {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let image = json!({
            "architecture": architecture, "os": "linux", "created": "2024-02-03T04:05:06Z", "config": config,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        });
        let config = self.blob(image.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json")?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest =
            json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": self.layers});
        let manifest = self.blob(manifest.to_string().as_bytes(), kind)?;
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        std::fs::write(self.folder.join("index.json"), index.to_string())?;
        std::fs::write(self.folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(self.folder)
    }

    fn blob(&self, bytes: &[u8], kind: &str) -> Result<Value> {
        let digest = digest(bytes);
        std::fs::write(self.folder.join("blobs").join(digest.replace(':', "/")), bytes)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    }
}

/// `sha256:…` of some bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
