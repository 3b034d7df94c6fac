//! What is inside an archive's compression, whichever of the four in use it is, bounded on both sides.
//!
//! All codecs run in this process: no program of an image or of the host is called for a stranger's bytes.

use super::Limits;
use super::meter::{Meter, Tracked};
use std::io::{self, BufReader, Read};
use std::sync::Arc;

/// KiB of memory that an xz stream may ask for: what `xz -9` needs.
const XZ_MEMORY: u32 = 80 << 10;
/// How much of a head tells what a stream is.
const HEAD: usize = 6;

/// The plain bytes of what is packed by gzip, bzip2, xz, zstd, or not at all.
///
/// # Errors
/// What reading the head answers; reading on fails when `limits` are exceeded.
pub fn inflate<'r>(packed: impl Read + 'r, limits: Limits) -> io::Result<Box<dyn Read + 'r>> {
    let mut packed = packed;
    let mut head = Vec::new();
    packed.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let kind = head.clone();
    let meter = Meter::new(limits);
    let whole = Tracked::new(io::Cursor::new(head).chain(packed), Arc::clone(&meter));
    let whole = BufReader::with_capacity(256 << 10, whole);
    let plain: Box<dyn Read + 'r> = match kind[..] {
        [0x1f, 0x8b, ..] => Box::new(super::gzip::Gzip::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(whole)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(whole)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            Box::new(lzma_rust2::XzReader::new_mem_limit(whole, true, XZ_MEMORY))
        }
        _ => Box::new(whole),
    };
    Ok(Box::new(Capped { plain, bytes: 0, meter }))
}

/// Whether a file is an archive: a tar, packed or not. It is read anew for that.
///
/// # Errors
/// What reading answers; what cannot be inflated is none.
pub fn is_archive(file: impl Read) -> io::Result<bool> {
    let mut block = [0; 512];
    let mut filled = 0;
    let Ok(mut plain) = inflate(file, Limits::default()) else { return Ok(false) };
    while filled < block.len() {
        match plain.read(&mut block[filled..]) {
            Ok(0) => return Ok(false),
            Ok(n) => filled += n,
            Err(_) => return Ok(false),
        }
    }
    let header = tar::Header::from_byte_slice(&block);
    // The sum of all bytes, those of the sum itself counted as spaces.
    let sum: u32 = block[..148].iter().chain(&block[156..]).map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
    Ok(block.iter().any(|b| *b != 0) && header.cksum().is_ok_and(|told| told == sum))
}

struct Capped<'r> {
    plain: Box<dyn Read + 'r>,
    bytes: u64,
    meter: Arc<Meter>,
}

impl Read for Capped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.plain.read(buffer)?;
        self.bytes += n as u64;
        self.meter.allows(self.bytes).map_err(io::Error::other)?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn packed(program: &str, bytes: &[u8]) -> Vec<u8> {
        let mut command = Command::new(program);
        let mut child = command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writing = std::thread::spawn(move || input.write_all(&bytes));
        let out = child.wait_with_output().unwrap().stdout;
        writing.join().unwrap().unwrap();
        out
    }

    fn archive() -> Vec<u8> {
        let mut out = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        out.append_data(&mut header, "a", &b"abc"[..]).unwrap();
        out.into_inner().unwrap()
    }

    #[test]
    fn what_debians_programs_pack_is_read() {
        let plain = archive();
        for program in ["gzip", "bzip2", "xz", "zstd"] {
            let version =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if version.is_err() {
                eprintln!("skipped: {program} is not installed");
                continue;
            }
            let packed = packed(program, &plain);
            assert!(is_archive(&packed[..]).unwrap(), "{program}");
            let mut out = Vec::new();
            inflate(&packed[..], Limits::default()).unwrap().read_to_end(&mut out).unwrap();
            assert_eq!(out, plain, "{program}");
        }
        assert!(is_archive(&plain[..]).unwrap());
        for other in [&b"text"[..], &[0; 1024], &[b'x'; 1024], b"", &[0x1f, 0x8b, 0, 0]] {
            assert!(!is_archive(other).unwrap());
        }
    }

    #[test]
    fn bombs_are_stopped() {
        let mut small = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..200 {
            small.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let small = small.finish().unwrap();
        let limits = Limits { ratio: 100, ..Limits::default() };
        let mut reader = inflate(&small[..], limits).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("100 times"), "{error}");
        let mut reader = inflate(&small[..], Limits { bytes: 5 << 20, ..Limits::default() }).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("more than 5242880 bytes"), "{error}");
    }
}
