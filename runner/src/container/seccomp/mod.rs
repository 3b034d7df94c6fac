//! The system call filter of a container: which calls it may make, compiled to a seccomp program.
//!
//! Owns the policy (`rules`) and its compilation (`bpf`). Installing a program is `become_process`'s business. A call that
//! programs may live without is refused with `ENOSYS`, as a kernel without it would; what is refused because of what it
//! does gets `EPERM`; what no honest program does (another architecture's calls) ends the process.

mod bpf;
mod rules;

use super::capabilities;
use super::spec::Profile;
use bpf::Verdict;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

pub use rules::{Group, groups};

/// The kernel's system calls, by name, with their numbers.
const CALLS: &str = include_str!("syscalls.txt");

/// `EPERM`
const EPERM: u16 = 1;
/// `ENOSYS`
const ENOSYS: u16 = 38;

/// Why there is no filter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The machine's architecture has no table.
    #[error("no system call filter for the architecture {0}: x86_64 and aarch64 have one")]
    Architecture(String),
    /// A rule names a call that the table lacks, or the table cannot be read: a mistake of ours.
    #[error("the table of system calls is broken at \"{0}\"")]
    Table(String),
    /// The kernel takes at most 4,096 instructions.
    #[error("the system call filter has {0} instructions, more than the kernel takes")]
    TooLong(usize),
}

/// An architecture that filters are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Architecture {
    X86_64,
    Aarch64,
}

impl Architecture {
    fn native() -> Result<Self, Error> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Aarch64),
            other => Err(Error::Architecture(other.to_owned())),
        }
    }

    /// `AUDIT_ARCH_…` of `linux/audit.h`.
    fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    fn column(self) -> usize {
        match self {
            Self::X86_64 => 1,
            Self::Aarch64 => 2,
        }
    }
}

/// The capabilities that widen the list; the others change nothing, so that programs are shared.
const RELEVANT: u64 = capabilities::SYS_ADMIN
    | capabilities::SYS_CHROOT
    | capabilities::SYS_PTRACE
    | capabilities::SYS_BOOT
    | capabilities::SYS_NICE;

/// Programs by whether the profile is nested, and the relevant capabilities: at most 64.
static COMPILED: Mutex<BTreeMap<(bool, u64), Vec<u8>>> = Mutex::new(BTreeMap::new());

/// The programs (`struct sock_filter` as bytes, native endian) for a process of `profile` with `capabilities` (a bit each);
/// to be installed in this order. Compiled once and kept.
///
/// # Errors
/// [`Error::Architecture`] on a machine that there is no table for.
pub fn programs(profile: Profile, capabilities: u64) -> Result<Vec<Vec<u8>>, Error> {
    let key = (profile == Profile::Nested, capabilities & RELEVANT);
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = kept.get(&key) {
        return Ok(vec![program.clone()]);
    }
    let program = bpf::encode(&compile(Architecture::native()?, profile, capabilities)?);
    kept.insert(key, program.clone());
    Ok(vec![program])
}

fn compile(
    architecture: Architecture,
    profile: Profile,
    capabilities: u64,
) -> Result<Vec<bpf::Instruction>, Error> {
    let numbers = numbers(architecture)?;
    let newest = numbers.values().flatten().max().copied().unwrap_or(0);
    let mut verdicts: BTreeMap<u32, Verdict> = BTreeMap::new();
    for number in numbers.values().flatten() {
        verdicts.insert(*number, Verdict::Refuse(EPERM));
    }
    for (name, verdict) in rules::verdicts(profile, capabilities) {
        let number = numbers.get(name).ok_or_else(|| Error::Table(name.to_owned()))?;
        if let Some(number) = number {
            verdicts.insert(*number, verdict);
        }
    }
    let program = bpf::filter(architecture.audit(), &ranges(architecture, &verdicts, newest));
    if program.len() > bpf::LONGEST { Err(Error::TooLong(program.len())) } else { Ok(program) }
}

/// The whole range of numbers, cut where the verdict changes: (first number, verdict), ascending.
fn ranges(architecture: Architecture, verdicts: &BTreeMap<u32, Verdict>, newest: u32) -> Vec<(u32, Verdict)> {
    const X32: u32 = 0x4000_0000;
    let unknown = Verdict::Refuse(ENOSYS);
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    let mut add = |first: u32, verdict: &Verdict| match ranges.last() {
        Some((_, last)) if last == verdict => {}
        _ => ranges.push((first, verdict.clone())),
    };
    for number in 0..=newest {
        add(number, verdicts.get(&number).unwrap_or(&unknown));
    }
    add(newest + 1, &unknown);
    if architecture == Architecture::X86_64 {
        add(X32, &Verdict::Kill);
        // A tracer skips a call by making its number -1.
        add(0x8000_0000, &unknown);
    }
    ranges
}

fn numbers(architecture: Architecture) -> Result<HashMap<&'static str, Option<u32>>, Error> {
    let rows = CALLS.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let broken = || Error::Table(line.to_owned());
        let fields: Vec<&'static str> = line.split(' ').collect();
        let name = *fields.first().ok_or_else(broken)?;
        let number = match *fields.get(architecture.column()).ok_or_else(broken)? {
            "-" => None,
            digits => Some(digits.parse().map_err(|_| broken())?),
        };
        Ok((name, number))
    })
    .collect()
}

#[cfg(test)]
mod tests;
