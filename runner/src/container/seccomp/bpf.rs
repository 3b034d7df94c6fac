//! From verdicts on system calls to classic BPF (the kernel's `filter.rst` and `seccomp_filter.rst`).
//!
//! A binary search by number, with the questions about arguments at its leaves. What depends on number and architecture
//! alone costs nothing at run time: the kernel answers it from a bitmap that it fills by trying the program once.

/// The most instructions that the kernel takes (`BPF_MAXINSNS`).
pub(super) const LONGEST: usize = 4096;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It answers this error number.
    Refuse(u16),
    /// The process ends by SIGSYS.
    Kill,
    /// It depends on an argument.
    Ask(Question),
}

/// A decision by the low 32 bits of an argument: all of those that are asked about here are `int`s to the kernel, which
/// ignores the upper half, so that a program must not be able to hide in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Which argument, from 0.
    pub(super) argument: u32,
    /// Tried in this order.
    pub(super) cases: Vec<(Match, Verdict)>,
    /// If none holds.
    pub(super) otherwise: Box<Verdict>,
}

/// When a case holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// The argument is this.
    Equal(u32),
    /// The argument has at least one of these bits.
    AnyBit(u32),
}

/// `struct sock_filter`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`
pub(super) const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JA`
pub(super) const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`
pub(super) const JUMP_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGE | BPF_K`
pub(super) const JUMP_NOT_BELOW: u16 = 0x35;
/// `BPF_JMP | BPF_JSET | BPF_K`
pub(super) const JUMP_ANY_BIT: u16 = 0x45;
/// `BPF_RET | BPF_K`
pub(super) const RETURN: u16 = 0x06;

/// `SECCOMP_RET_ALLOW`
pub(super) const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_KILL_PROCESS`
pub(super) const KILL: u32 = 0x8000_0000;
/// `SECCOMP_RET_ERRNO`
pub(super) const ERRNO: u32 = 0x0005_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// A filter for the calls of one architecture (`AUDIT_ARCH_…`, little endian); `ranges` are first numbers, ascending from 0,
/// and what happens from there on.
pub(super) fn filter(architecture: u32, ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    let mut program = vec![
        load(ARCHITECTURE),
        Instruction { code: JUMP_EQUAL, jt: 1, jf: 0, k: architecture },
        give(KILL),
        load(NUMBER),
    ];
    program.extend(search(ranges));
    program
}

/// The bytes that the kernel reads.
pub(super) fn encode(program: &[Instruction]) -> Vec<u8> {
    let bytes = |i: &Instruction| {
        let (code, k) = (i.code.to_ne_bytes(), i.k.to_ne_bytes());
        [code[0], code[1], i.jt, i.jf, k[0], k[1], k[2], k[3]]
    };
    program.iter().flat_map(bytes).collect()
}

fn search(ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    match ranges {
        [] => vec![give(KILL)],
        [(_, verdict)] => decide(verdict),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let first = above.first().map_or(0, |(first, _)| *first);
            branch(JUMP_NOT_BELOW, first, search(above), search(below))
        }
    }
}

fn decide(verdict: &Verdict) -> Vec<Instruction> {
    match verdict {
        Verdict::Allow => vec![give(ALLOW)],
        Verdict::Refuse(errno) => vec![give(ERRNO | u32::from(*errno))],
        Verdict::Kill => vec![give(KILL)],
        Verdict::Ask(question) => {
            let mut code = vec![load(ARGUMENTS + 8 * question.argument)];
            let cases = question.cases.iter().rev();
            code.extend(cases.fold(decide(&question.otherwise), |rest, (when, verdict)| match *when {
                Match::Equal(value) => branch(JUMP_EQUAL, value, decide(verdict), rest),
                Match::AnyBit(bits) => branch(JUMP_ANY_BIT, bits, decide(verdict), rest),
            }));
            code
        }
    }
}

/// `no` directly after the comparison, `yes` behind it; neither ever falls through, for each ends in a return.
fn branch(code: u16, k: u32, yes: Vec<Instruction>, no: Vec<Instruction>) -> Vec<Instruction> {
    let mut program = Vec::with_capacity(yes.len() + no.len() + 2);
    match u8::try_from(no.len()) {
        Ok(distance) => program.push(Instruction { code, jt: distance, jf: 0, k }),
        // A conditional jump reaches 255 instructions; an unconditional one any.
        Err(_) => {
            let distance = u32::try_from(no.len()).unwrap_or(u32::MAX);
            program.push(Instruction { code, jt: 0, jf: 1, k });
            program.push(Instruction { code: JUMP, jt: 0, jf: 0, k: distance });
        }
    }
    program.extend(no);
    program.extend(yes);
    program
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, jt: 0, jf: 0, k: offset }
}

fn give(answer: u32) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k: answer }
}
