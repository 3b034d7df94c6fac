[ -f /root/jail.py ] || { echo "There is no /root/jail.py."; exit 1; }
# The program is run to its end; then its own process is asked what is left of root.
/usr/bin/python3 - <<'END'
import os, runpy, sys

out = os.dup(1)
quiet = os.open("/dev/null", os.O_WRONLY)
os.dup2(quiet, 1)
listed = []
listdir = os.listdir
os.listdir = lambda path=".": listed.append(path) or listdir(path)
fault = None
try:
    sys.argv = ["jail.py", "/srv/small"]
    runpy.run_path("/root/jail.py", run_name="__main__")
except SystemExit as end:
    fault = f"It ends early, with {end.code}." if end.code else None
except BaseException as error:
    fault = f"It ends with an error: {type(error).__name__}: {error}"
sys.stdout.flush()
os.dup2(out, 1)

def wrong(what):
    os.write(1, (what + "\n").encode())
    os._exit(1)

if fault:
    wrong(fault + (" Something came too early: after setuid it has no right to that." if "PermissionError" in fault else ""))
if sorted(listdir("/")) == [] or "bin" not in listdir("/") or "usr" in listdir("/") and "sys" in listdir("/"):
    wrong("Its root is not /srv/small.")
if os.getcwd() != "/":
    wrong(f"Its working directory is {os.getcwd()}: os.chdir(\"/\") brings it along.")
if os.getgroups():
    wrong(f"It still has the groups {os.getgroups()}: os.setgroups([]) lets go of them.")
if os.getresgid() != (65534, 65534, 65534):
    wrong(f"Its group ids are {os.getresgid()}, and should all be 65534: os.setgid(NOBODY).")
if os.getresuid() != (65534, 65534, 65534):
    wrong(f"Its user ids are {os.getresuid()}, and should all be 65534: os.setuid(NOBODY).")
mask = os.umask(0)
if mask & 0o077 != 0o077:
    wrong(f"Its umask is {mask:#05o}: others may still use what it makes. os.umask(0o077).")
if "/" not in listed:
    wrong("It does not list / at the end: print(os.listdir(\"/\")).")
os.write(1, b"Root is /srv/small, the groups are gone, user and group are 65534, the umask is tight. Well done.\n")
os._exit(0)
END
