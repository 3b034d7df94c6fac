//! Scripts of the web server's that are run in a session: set-up, checks of a lab's steps.
//!
//! The shell and its tools are the engine's own, one static program in memory. It may be executed and not read, so the kernel
//! takes its processes out of the reach of everybody in the container: neither their memory, nor their environment, nor their
//! descriptors can be looked into, and the script, which comes over a pipe, is nowhere else.

use super::Engine;
use super::error::{Doing, Error};
use super::exec::{Attached, Program, Request};
use super::streams::Reader;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use sandlot_wire::{Script, ScriptEnd};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long the last words of a script that has ended are waited for: what it started may hold its output open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Takes the script from the standard input, so that it is on no command line, and gives it an empty one. The point keeps the
/// empty lines at its end.
const READ: &str = "s=$(cat; echo .); exec 0</dev/null; eval \"${s%.}\"";

/// The shell; made once.
#[derive(Debug, Default)]
pub struct Shell(Mutex<Option<Program>>);

impl Shell {
    fn get(&self) -> io::Result<Program> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = made.as_ref() {
            return Ok(program.clone());
        }
        let program = Program(Arc::new(executable(crate::image::starter::SHELL)?));
        *made = Some(program.clone());
        Ok(program)
    }
}

/// A file in memory that can be executed and neither read nor written.
fn executable(bytes: &[u8]) -> io::Result<OwnedFd> {
    if bytes.is_empty() {
        let words = "this program was built without a shell: install busybox-static and build again";
        return Err(io::Error::new(io::ErrorKind::Unsupported, words));
    }
    let written = rustix::fs::memfd_create(c"sandlot-sh", MemfdFlags::CLOEXEC)?;
    let mut written = std::fs::File::from(written);
    written.write_all(bytes)?;
    // One that is open for writing is not executed; and who could read it could look into its processes.
    let path = format!("/proc/self/fd/{}", written.as_raw_fd());
    let opened = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::fchmod(&written, Mode::XUSR | Mode::XGRP | Mode::XOTH)?;
    Ok(opened)
}

impl Engine {
    /// Runs a script to its end, or to its time limit.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is too long; what an execution answers.
    pub async fn run_script(&self, key: &str, wanted: Script) -> Result<ScriptEnd, Error> {
        if wanted.script.len() > Script::MOST || wanted.script.contains('\0') {
            return Err(Error::invalid(format!("a script is text of at most {} bytes", Script::MOST)));
        }
        let container = self.find(key)?;
        let program = self.shell.get().doing(|| "bringing a shell along".into())?;
        let request = Request {
            attach_stdin: true,
            attach_stdout: true,
            attach_stderr: true,
            cmd: ["sh", "-c", READ].map(str::to_owned).to_vec(),
            env: Some(wanted.env),
            user: Some(wanted.user.unwrap_or_else(|| "0:0".to_owned())),
            working_dir: Some("/".to_owned()),
            program: Some(program),
            ..Request::default()
        };
        let id = self.exec_create(&container.id, request)?;
        let exec = self.exec(&id)?;
        let Attached { input, readers } = match self.exec_start(&id, 80, 24).await {
            Ok(attached) => attached,
            Err(e) => {
                self.forget_exec(&id);
                return Err(e);
            }
        };
        let output = Arc::new(Mutex::new(VecDeque::new()));
        let mut reading: JoinSet<()> =
            readers.into_iter().map(|r| keep_last(r, Arc::clone(&output))).collect();
        let limit = Duration::from_millis(wanted.timeout_ms.min(Script::PATIENCE));
        let whole = async {
            if let Some(input) = input {
                // A shell that was ended reads no more.
                input.write(wanted.script.as_bytes()).await.unwrap_or_default();
            }
            exec.code().await
        };
        let exit_code = match tokio::time::timeout(limit, whole).await {
            Ok(code) => {
                let all = async { while reading.join_next().await.is_some() {} };
                let _late = tokio::time::timeout(LAST_WORDS, all).await;
                Some(code)
            }
            Err(_) => {
                self.end_exec(&container, &exec).await;
                None
            }
        };
        drop(reading);
        self.forget_exec(&id);
        let kept = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(ScriptEnd { exit_code, output: String::from_utf8_lossy(&Vec::from(kept)).into_owned() })
    }
}

/// Reads all, keeps the end of it.
async fn keep_last(reader: Reader, output: Arc<Mutex<VecDeque<u8>>>) {
    while let Some(chunk) = reader.next().await {
        let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
        let new = &chunk.bytes[chunk.bytes.len().saturating_sub(Script::OUTPUT)..];
        let over = (kept.len() + new.len()).saturating_sub(Script::OUTPUT);
        let gone = over.min(kept.len());
        kept.drain(..gone);
        kept.extend(new);
    }
}
