/* The limit: the fewest system calls that make a container with seven namespaces, an id map, an overlay, the mounts
 * of the OCI runtime specification, pivot_root and three control groups. No parsing, no checks that a product needs.
 *
 * usage: limit ROOTFS SCRATCH ROUNDS run|pty
 * prints the median and the 90th percentile in milliseconds: `run` to the exit of `true`, `pty` to the first byte
 * that `sh` prints on a terminal of the container's own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BASE 1900000000u
#define GROUPS 3

static const char *controllers[GROUPS] = {"cpu", "memory", "pids"};

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
    need(!syscall(SYS_pivot_root, ".", "."), "pivot_root");
    need(!umount2(".", MNT_DETACH), "old root");
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
    close(fd);
}

static void child(int go, int socket, const int *tasks, const char *overlay, int pty) {
    char byte;
    for (int i = 0; i < GROUPS; i++) need(write(tasks[i], "0", 1) == 1, "cgroup");
    need(read(go, &byte, 1) == 1, "go");
    need(!setresgid(0, 0, 0) && !setgroups(0, NULL) && !setresuid(0, 0, 0), "ids");
    mounts(overlay);
    need(!sethostname("limit", 5), "hostname");
    loopback_up();
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
        execl("/bin/busybox", "sh", (char *)NULL);
    }
    close_range(3, ~0U, 0);
    execl("/bin/busybox", "true", (char *)NULL);
    _exit(127);
}

static double round_trip(const char *scratch, const char *rootfs, int n, int pty) {
    char path[512], overlay[2048], name[64], text[64];
    int tasks[GROUPS], go[2], pair[2];
    need(!chdir(scratch), scratch);
    snprintf(name, sizeof name, "r%d", n);
    double start = now();
    need(!mkdir(name, 0755) && !chdir(name), name);
    need(!mkdir("upper", 0755) && !mkdir("work", 0755) && !mkdir("root", 0755), "directories");
    need(!chown("upper", BASE, BASE) && !chown("work", BASE, BASE), "chown");
    snprintf(overlay, sizeof overlay, "lowerdir=%s,upperdir=upper,workdir=work,volatile,userxattr", rootfs);
    for (int i = 0; i < GROUPS; i++) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/sandlot-limit-%d-%d", controllers[i], getpid(), n);
        need(!mkdir(path, 0755), path);
        strcat(path, "/tasks");
        tasks[i] = open(path, O_WRONLY | O_CLOEXEC);
        need(tasks[i] >= 0, path);
    }
    need(!pipe2(go, O_CLOEXEC) && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "pipe");
    struct clone_args args = {.exit_signal = SIGCHLD};
    args.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    need(pid >= 0, "clone3");
    if (pid == 0) child(go[0], pair[1], tasks, overlay, pty);
    snprintf(text, sizeof text, "0 %u 65536", BASE);
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid), put(path, text);
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid), put(path, text);
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
    for (int i = 0; i < GROUPS; i++) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/sandlot-limit-%d-%d", controllers[i], getpid(), n);
        close(tasks[i]), rmdir(path);
    }
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
    for (int n = 0; n < rounds; n++) times[n] = round_trip(values[2], values[1], n, pty);
    qsort(times, rounds, sizeof *times, by_size);
    printf("%.2f %.2f\n", times[rounds / 2], times[rounds * 9 / 10]);
    return 0;
}
