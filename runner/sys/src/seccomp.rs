//! Installing a seccomp filter that was compiled elsewhere (seccomp(2)).

use std::io;

const SECCOMP_SET_MODE_FILTER: libc::c_uint = 1;
/// `sizeof(struct sock_filter)`
const INSTRUCTION: usize = 8;

/// Installs `program`, an array of `struct sock_filter` as bytes (native endian), on the calling thread.
///
/// Needs `no_new_privs` or `CAP_SYS_ADMIN` in the user namespace.
///
/// # Errors
/// What `seccomp(2)` answers; `InvalidInput` if the bytes are no whole number of instructions or too many.
pub fn install(program: &[u8]) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    if program.is_empty() || !program.len().is_multiple_of(INSTRUCTION) {
        return Err(invalid());
    }
    let mut instructions: Vec<libc::sock_filter> = program
        .chunks_exact(INSTRUCTION)
        .map(|b| libc::sock_filter {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        })
        .collect();
    let filter = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| invalid())?,
        filter: instructions.as_mut_ptr(),
    };
    // SAFETY: `filter` points at `len` instructions that live until the call returns; the kernel copies and checks them.
    if unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const filter) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
