/* A container of one namespace: clone(2) with CLONE_NEWUTS, a host name of its own, and a shell in it.
 *
 *   gcc -Wall -o incontainer incontainer.c && ./incontainer
 *
 * The shell says its host name is incontainer; the one outside keeps its own. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 20];

static int child(void *arguments) {
    const char *name = "incontainer";
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
    /* The stack grows downwards: the child is given its end. */
    pid_t pid = clone(child, stack + sizeof stack, CLONE_NEWUTS | SIGCHLD, arguments);
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
