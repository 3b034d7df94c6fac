#!/usr/bin/python3
"""A changed root and an unprivileged user, in the order that makes it safe.

    python3 jail.py /some/directory

What is listed at the end is the directory, seen as `/` by user and group 65534.
"""
import os
import sys

NOBODY = 65534


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY")
    os.chroot(sys.argv[1])
    os.chdir("/")  # else the working directory would still lie outside
    os.setgroups([])  # the groups first: a user without rights cannot let go of them
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.umask(0o077)
    print("\n".join(sorted(os.listdir("/"))))


if __name__ == "__main__":
    main()
