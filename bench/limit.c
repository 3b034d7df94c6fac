/* The limit: a minimal program that makes the same system calls as a container of ours takes: the control groups of every
 * version 1 hierarchy, a helper that sits in them and clones seven namespaces in the name of the container's root, an id map, an overlay, the
 * mounts of the OCI runtime specification and three files of /etc, pivot_root, bounds on inner namespaces, capabilities, a filter. No parsing,
 * no checks, no messages between processes, nothing kept on disk.
 *
 * usage: limit ROOTFS SCRATCH ROUNDS run|pty
 * prints the median and the 90th percentile in milliseconds: `run` to the exit of `true`, `pty` to the first byte
 * that `sh` prints on a terminal of the container's own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BASE 1900000000u
#define GROUPS 7
#define CALLS 512

static const char *controllers[GROUPS] = {"blkio", "cpu", "cpuacct", "cpuset", "freezer", "memory", "pids"};
static int present[GROUPS];
/* Docker's fourteen; the rest is given up. */
static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP,
    CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_MKNOD, CAP_AUDIT_WRITE, CAP_SETFCAP};

static void need(int ok, const char *what) {
    if (!ok) { fprintf(stderr, "limit: %s: %s\n", what, strerror(errno)); _exit(1); }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    need(fd >= 0 && write(fd, text, strlen(text)) >= 0, path);
    close(fd);
}

/* The groups below which each round makes its own: processors and nodes are inherited there. */
static void group(char *path, size_t size, int i, int n) {
    int used = snprintf(path, size, "/sys/fs/cgroup/%s/sandlot-limit-%d", controllers[i], getpid());
    if (n >= 0) snprintf(path + used, size - used, "/r%d", n);
}

static void parents(int make) {
    char path[128], file[160], text[64];
    for (int i = 0; i < GROUPS; i++) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/tasks", controllers[i]);
        present[i] = !access(path, W_OK);
        if (!present[i]) continue;
        group(path, sizeof path, i, -1);
        if (!make) { rmdir(path); continue; }
        need(!mkdir(path, 0755), path);
        if (strcmp(controllers[i], "cpuset")) continue;
        const char *inherited[] = {"cpus", "mems"};
        for (int k = 0; k < 2; k++) {
            snprintf(file, sizeof file, "/sys/fs/cgroup/cpuset/cpuset.%s", inherited[k]);
            int fd = open(file, O_RDONLY | O_CLOEXEC), length = read(fd, text, sizeof text - 1);
            need(fd >= 0 && length > 0, file);
            text[length] = 0, close(fd);
            snprintf(file, sizeof file, "%s/cpuset.%s", path, inherited[k]), put(file, text);
        }
        snprintf(file, sizeof file, "%s/cgroup.clone_children", path), put(file, "1");
    }
}

/* A search among so many calls, in as many steps as ours takes; it allows all. */
static int search(struct sock_filter *out, int from, int to) {
    if (to - from <= 2) {
        out[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        return 1;
    }
    int middle = (from + to) / 2, left = search(out + 2, from, middle);
    out[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle, 0, 1);
    out[1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, left);
    return 2 + left + search(out + 2 + left, middle, to);
}

static void give_up(void) {
    static struct sock_filter filter[4 * CALLS];
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        int keep = 0;
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) keep |= kept[i] == cap;
        if (!keep) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0}};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) sets[kept[i] / 32].permitted |= 1u << kept[i] % 32;
    for (int i = 0; i < 2; i++) sets[i].effective = sets[i].permitted;
    need(!syscall(SYS_capset, &header, sets), "capabilities");
    need(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    struct sock_fprog program = {.len = 1 + search(filter + 1, 0, CALLS / 2), .filter = filter};
    need(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "filter");
}

static void bounds(void) {
    const char *kinds[] = {"user", "pid", "net", "ipc", "uts", "cgroup", "time", "mnt"};
    char path[64];
    for (int i = 0; i < 8; i++) snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]), put(path, "0");
    put("/proc/sys/user/max_inotify_instances", "64"), put("/proc/sys/user/max_inotify_watches", "8192");
    put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"), put("/proc/sys/net/ipv4/ping_group_range", "0 65535");
}

static void bind_file(const char *name) {
    char to[64];
    snprintf(to, sizeof to, "etc/%s", name);
    need(!mount("/dev/null", to, NULL, MS_BIND, NULL), to);
}

static void bind_device(const char *name) {
    char from[64], to[64];
    snprintf(from, sizeof from, "/dev/%s", name);
    snprintf(to, sizeof to, "dev/%s", name);
    int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    need(fd >= 0, to);
    close(fd);
    need(!mount(from, to, NULL, MS_BIND, NULL), to);
}

static void send_fd(int socket, int fd) {
    char byte = 'm', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    need(sendmsg(socket, &m, 0) == 1, "sendmsg");
}

static int receive_fd(int socket) {
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    need(recvmsg(socket, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void mounts(const char *overlay) {
    need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    need(!mount("overlay", "root", "overlay", 0, overlay), "overlay");
    need(!chdir("root"), "root");
    need(!mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    need(!mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
    const char *devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    for (int i = 0; i < 6; i++) bind_device(devices[i]);
    mkdir("dev/pts", 0755), mkdir("dev/shm", 01777), mkdir("dev/mqueue", 0755);
    need(!mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"), "devpts");
    need(!mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k"), "shm");
    need(!mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mqueue");
    need(!mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL), "sysfs");
    need(!symlink("pts/ptmx", "dev/ptmx"), "ptmx");
    bind_file("hostname"), bind_file("hosts"), bind_file("resolv.conf");
    need(!syscall(SYS_pivot_root, ".", "."), "pivot_root");
    need(!umount2(".", MNT_DETACH), "old root");
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
    close(fd);
}

static void child(int go, int socket, const char *overlay, int pty) {
    char byte;
    need(read(go, &byte, 1) == 1, "go");
    need(!setresgid(0, 0, 0) && !setgroups(0, NULL) && !setresuid(0, 0, 0), "ids");
    mounts(overlay);
    need(!sethostname("limit", 5), "hostname");
    loopback_up();
    bounds();
    if (pty) {
        setsid();
        int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0, n;
        need(master >= 0 && !ioctl(master, TIOCSPTLCK, &zero) && !ioctl(master, TIOCGPTN, &n), "ptmx");
        char path[32];
        snprintf(path, sizeof path, "/dev/pts/%d", n);
        int slave = open(path, O_RDWR);
        need(slave >= 0, path);
        send_fd(socket, master);
        for (int i = 0; i < 3; i++) dup2(slave, i);
        close_range(3, ~0U, 0);
        give_up();
        execl("/bin/busybox", "sh", (char *)NULL);
    }
    close_range(3, ~0U, 0);
    give_up();
    execl("/bin/busybox", "true", (char *)NULL);
    _exit(127);
}

/* In the groups already, it clones: so the namespaces are charged to them, and the cgroup namespace has its root there. */
static void help(const int *tasks, int go, int told, int socket, const char *overlay, int pty) {
    for (int i = 0; i < GROUPS; i++) need(!present[i] || write(tasks[i], "0", 1) == 1, "cgroup");
    need(!setresuid(-1, BASE, -1), "in the name of the container's root");
    struct clone_args args = {.flags = CLONE_PARENT};
    args.flags |= CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    need(pid >= 0, "clone3");
    if (pid == 0) child(go, socket, overlay, pty);
    char path[64], text[64];
    need(!setresuid(-1, 0, -1), "root again");
    snprintf(text, sizeof text, "0 %u 65536", BASE);
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid), put(path, text);
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid), put(path, text);
    need(write(told, &pid, sizeof pid) == sizeof pid, "told");
    _exit(0);
}

static double round_trip(const char *scratch, const char *rootfs, int n, int pty) {
    char path[512], overlay[2048], name[64];
    int tasks[GROUPS], go[2], told[2], pair[2];
    need(!chdir(scratch), scratch);
    snprintf(name, sizeof name, "r%d", n);
    double start = now();
    need(!mkdir(name, 0755) && !chdir(name), name);
    need(!mkdir("upper", 0755) && !mkdir("work", 0755) && !mkdir("root", 0755), "directories");
    need(!chown("upper", BASE, BASE) && !chown("work", BASE, BASE), "chown");
    snprintf(overlay, sizeof overlay, "lowerdir=%s,upperdir=upper,workdir=work,volatile,userxattr", rootfs);
    for (int i = 0; i < GROUPS; i++) {
        if (!present[i]) continue;
        group(path, sizeof path, i, n);
        need(!mkdir(path, 0755), path);
        strcat(path, "/tasks");
        tasks[i] = open(path, O_WRONLY | O_CLOEXEC);
        need(tasks[i] >= 0, path);
    }
    need(!pipe2(go, O_CLOEXEC) && !pipe2(told, O_CLOEXEC), "pipe");
    need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socket");
    pid_t helper = fork(), pid;
    need(helper >= 0, "fork");
    if (helper == 0) help(tasks, go[0], told[1], pair[1], overlay, pty);
    need(read(told[0], &pid, sizeof pid) == sizeof pid, "the helper");
    need(write(go[1], "g", 1) == 1, "go");
    double end = 0;
    int status;
    if (pty) {
        char byte;
        int master = receive_fd(pair[0]);
        need(read(master, &byte, 1) == 1, "first byte");
        end = now();
        kill(pid, SIGKILL), close(master);
    }
    need(waitpid(pid, &status, 0) == pid && (pty || status == 0), "the container failed");
    if (!pty) end = now();
    need(waitpid(helper, NULL, 0) == helper, "the helper's end");
    for (int i = 0; i < GROUPS; i++) {
        if (!present[i]) continue;
        group(path, sizeof path, i, n);
        close(tasks[i]), rmdir(path);
    }
    close(told[0]), close(told[1]);
    close(go[0]), close(go[1]), close(pair[0]), close(pair[1]);
    return end - start;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **values) {
    if (count != 5) { fprintf(stderr, "usage: limit ROOTFS SCRATCH ROUNDS run|pty\n"); return 2; }
    int rounds = atoi(values[3]), pty = !strcmp(values[4], "pty");
    if (rounds < 1) return 2;
    double *times = calloc(rounds, sizeof *times);
    parents(1);
    for (int n = 0; n < rounds; n++) times[n] = round_trip(values[2], values[1], n, pty);
    parents(0);
    qsort(times, rounds, sizeof *times, by_size);
    printf("%.2f %.2f\n", times[rounds / 2], times[rounds * 9 / 10]);
    return 0;
}
