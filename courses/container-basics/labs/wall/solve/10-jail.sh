cat > /root/jail.py <<'END'
"""A changed root, and an unprivileged user in it."""
import os

NOBODY = 65534

os.chroot("/srv/small")
os.chdir("/")  # else the working directory would still lie outside
os.setgroups([])  # the groups first: who has no rights cannot let go of them
os.setgid(NOBODY)
os.setuid(NOBODY)  # from here on there is no way back
os.umask(0o077)
print(sorted(os.listdir("/")))
END
