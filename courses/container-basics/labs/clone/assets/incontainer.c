/* A child that is born into namespaces of its own.
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

/* The child begins with a stack of its own. */
static char stack[1 << 20];

/* What the child does: it returns only if something went wrong. */
static int child(void *arguments) {
    (void)arguments;
    /* Here: set the host name to "incontainer". */

    /* Here: become /bin/bash, with these arguments. */

    perror("/bin/bash");
    return 127;
}

int main(int count, char **arguments) {
    (void)count;
    /* Here: not 0, but the flag for a UTS namespace. */
    pid_t pid = clone(child, stack + sizeof stack, 0 | SIGCHLD, arguments);
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
