"""A changed root, and an unprivileged user in it."""
import os

NOBODY = 65534

os.chroot("/srv/small")
os.chdir("/")  # else the working directory would still lie outside

# Here: let go of the groups, the group and the user, in the order that works.
# Then a umask that leaves nothing to others.


print(sorted(os.listdir("/")))
