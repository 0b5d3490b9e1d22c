/* posix_spawn COUNT IN_FLIGHT: runs /bin/true N that often, so many at a time, and prints the seconds it took.
   The least that starting and reaping processes costs here. */
#define _POSIX_C_SOURCE 200809L
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int count = atoi(argv[1]), in_flight = atoi(argv[2]), begun = 0, running = 0;
    double start = now();
    while (begun < count || running) {
        if (begun < count && running < in_flight) {
            char number[16], *words[] = {"/bin/true", number, NULL};
            pid_t pid;
            snprintf(number, sizeof number, "%d", ++begun);
            if (posix_spawn(&pid, words[0], NULL, NULL, words, environ))
                return 1;
            running++;
        } else {
            int status;
            if (waitpid(-1, &status, 0) < 0 || status)
                return 1;
            running--;
        }
    }
    printf("%.6f\n", now() - start);
    return 0;
}
