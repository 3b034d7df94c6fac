//! Finds the pages that are embedded: what Vite built, else one page that tells how to build them.

use std::path::PathBuf;

const UNBUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sandlot</title>\
<body><h1>The pages are not built</h1><p>This server was built without them; everything else runs. \
Build them with Node: <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>, then build the server again; \
or type <code>make run</code>, which does both.</p></body></html>\n";

fn main() -> std::io::Result<()> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let built = manifest.join("../web/dist");
    // Cargo cannot watch what is not there; where it cannot be made, it looks every time.
    let _ = std::fs::create_dir_all(&built);
    println!("cargo:rerun-if-changed={}", built.display());
    println!("cargo:rerun-if-changed=src/store/migrations");
    let pages = if built.join("index.html").exists() {
        built
    } else {
        let folder = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default()).join("pages");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("index.html"), UNBUILT)?;
        folder
    };
    println!("cargo:rustc-env=SANDLOT_PAGES={}", pages.display());
    Ok(())
}
