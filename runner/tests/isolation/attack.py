"""What a shell cannot do: system calls by name. The attack itself is the argument."""
import ctypes, fcntl, os, platform, socket, struct, sys

LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {  # x86_64, aarch64
    "add_key": (248, 217), "bpf": (321, 280), "fanotify_init": (300, 262), "fsopen": (430, 430), "inotify_init1": (294, 26),
    "io_setup": (206, 0), "io_uring_setup": (425, 425), "ioctl": (16, 29), "keyctl": (250, 219), "mount": (165, 40),
    "mq_open": (240, 180), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "perf_event_open": (298, 241),
    "personality": (135, 92), "ptrace": (101, 117), "setns": (308, 268), "shmget": (29, 194), "sysinfo": (99, 179),
    "syslog": (103, 116), "unshare": (272, 97), "userfaultfd": (323, 282), "mlock": (149, 228), "mmap": (9, 222), "clone": (56, 220), "clone3": (435, 435),
}


def call(name, *arguments):
    number = NUMBERS[name][platform.machine() == "aarch64"]
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    LIBC.syscall.restype = ctypes.c_long
    answer = LIBC.syscall(ctypes.c_long(number), *words)
    if answer == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


exec(sys.argv[1])
