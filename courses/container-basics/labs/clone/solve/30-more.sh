cat > /srv/clone/incontainer.c <<'END'
/* A child that is born into namespaces of its own: host name, processes, mounts.
 *
 *   gcc -Wall -o incontainer incontainer.c && ./incontainer */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 20];

static int child(void *arguments) {
    const char *name = "incontainer";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 || mount("proc", "/proc", "proc", 0, NULL) == -1) {
        perror("mount");
        return 1;
    }
    if (sethostname(name, strlen(name)) == -1) {
        perror("sethostname");
        return 1;
    }
    execv("/bin/bash", arguments);
    perror("/bin/bash");
    return 127;
}

int main(int count, char **arguments) {
    (void)count;
    int flags = CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS;
    pid_t pid = clone(child, stack + sizeof stack, flags | SIGCHLD, arguments);
    if (pid == -1) {
        perror("clone");
        return EXIT_FAILURE;
    }
    int status;
    if (waitpid(pid, &status, 0) == -1) {
        perror("waitpid");
        return EXIT_FAILURE;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
END
/usr/bin/gcc -Wall -o /srv/clone/incontainer /srv/clone/incontainer.c
