//! Builds the starter image, an OCI image layout in a tar archive, from Debian's static busybox: the same bytes each time.
//!
//! `SANDLOT_BUSYBOX` names another binary. Without one there is no starter image, and the engine says so.

use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// Where Debian's package `busybox-static` puts its notice; ours is used where that is not there.
const NOTICE: &str = "/usr/share/doc/busybox-static/copyright";
const NAME: &str = "sandlot/starter:latest";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../images/starter");
    println!("cargo:rerun-if-env-changed=SANDLOT_BUSYBOX");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("starter.tar");
    let busybox =
        std::env::var_os("SANDLOT_BUSYBOX").map_or_else(|| PathBuf::from("/bin/busybox"), PathBuf::from);
    println!("cargo:rerun-if-changed={}", busybox.display());
    let mut shell = Vec::new();
    let image = match std::fs::read(&busybox) {
        Ok(binary) if is_static(&binary) => {
            let made = image(&busybox, &binary);
            shell = binary;
            made
        }
        Ok(_) => Err(io::Error::other(format!("{} is not statically linked", busybox.display()))),
        Err(e) => Err(e),
    };
    let bytes = image.unwrap_or_else(|e| {
        println!("cargo:warning=no starter image: {e}; install busybox-static and build again");
        Vec::new()
    });
    if let Err(e) =
        std::fs::write(&out, bytes).and_then(|()| std::fs::write(out.with_file_name("shell"), shell))
    {
        println!("cargo:warning=the starter image cannot be written: {e}");
        std::process::exit(1);
    }
}

/// A dynamically linked program names its interpreter (`PT_INTERP`).
fn is_static(elf: &[u8]) -> bool {
    elf.starts_with(b"\x7fELF") && !elf.windows(7).take(4096).any(|w| w == b"/lib64/" || w == b"/lib/ld")
}

fn image(busybox: &Path, binary: &[u8]) -> io::Result<Vec<u8>> {
    let layer = layer(busybox, binary)?;
    let architecture = match std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("aarch64") => "arm64",
        _ => "amd64",
    };
    let config = format!(
        r#"{{"created":"1970-01-01T00:00:00Z","architecture":"{architecture}","os":"linux","config":{{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","ENV=/etc/shrc"],"Cmd":["/bin/sh","-l"],"WorkingDir":"/root","Labels":{{"org.opencontainers.image.title":"Starter","org.opencontainers.image.description":"A small Linux: a shell and two hundred tools","org.opencontainers.image.licenses":"GPL-2.0-only"}}}},"rootfs":{{"type":"layers","diff_ids":["sha256:{0}"]}},"history":[{{"created":"1970-01-01T00:00:00Z","created_by":"busybox-static"}}]}}"#,
        digest(&layer)
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:{}","size":{}}}]}}"#,
        digest(config.as_bytes()),
        config.len(),
        digest(&layer),
        layer.len()
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"{NAME}"}}}}]}}"#,
        digest(manifest.as_bytes()),
        manifest.len()
    );
    let mut archive = Archive::new();
    archive.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.file("index.json", 0o644, index.as_bytes())?;
    for blob in [manifest.as_bytes(), config.as_bytes(), &layer] {
        archive.file(&format!("blobs/sha256/{}", digest(blob)), 0o644, blob)?;
    }
    archive.finish()
}

/// The root filesystem.
fn layer(busybox: &Path, binary: &[u8]) -> io::Result<Vec<u8>> {
    let mut tree = Archive::new();
    for dir in [
        "bin",
        "dev",
        "etc",
        "home",
        "proc",
        "root",
        "run",
        "sbin",
        "sys",
        "usr",
        "usr/bin",
        "usr/local",
        "usr/local/bin",
        "usr/sbin",
        "var",
        "usr/share",
        "usr/share/doc",
        "usr/share/doc/busybox",
    ] {
        tree.directory(dir, 0o755)?;
    }
    tree.directory("tmp", 0o1777)?;
    tree.file("bin/busybox", 0o755, binary)?;
    let list = std::process::Command::new(busybox).arg("--list-full").output()?;
    for path in String::from_utf8_lossy(&list.stdout).lines().filter(|p| !p.ends_with("busybox")) {
        tree.link(path, "/bin/busybox")?;
    }
    // Cargo runs this in the package's folder; a path from compile time would be that of another checkout with the same target.
    let own = Path::new("../images/starter");
    for (from, to, mode) in [(own.to_owned(), "etc", 0o644), (own.join("bin"), "usr/local/bin", 0o755)] {
        for name in files(&from)? {
            tree.file(&format!("{to}/{name}"), mode, &std::fs::read(from.join(&name))?)?;
        }
    }
    let notice = std::fs::read(NOTICE).unwrap_or_else(|_| {
        b"BusyBox is free software under the GNU General Public License, version 2: https://busybox.net/license.html\n".to_vec()
    });
    tree.file("usr/share/doc/busybox/copyright", 0o644, &notice)?;
    tree.finish()
}

/// The names of the files in a folder, in order.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A tar archive in which nothing depends on the time or the builder.
struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.0.append_data(&mut Self::header(tar::EntryType::Regular, mode, bytes.len()), path, bytes)
    }

    fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.0.append_data(&mut Self::header(tar::EntryType::Directory, mode, 0), path, io::empty())
    }

    fn link(&mut self, path: &str, to: &str) -> io::Result<()> {
        self.0.append_link(&mut Self::header(tar::EntryType::Symlink, 0o777, 0), path, to)
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        self.0.into_inner()
    }
}
