// answer DIRECTORY: stands in for an awake worker: removes each file that appears there, at once, and counts them. A real worker
// does it at most as often.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static volatile sig_atomic_t ended = 0;

static void end(int number) {
    (void)number;
    ended = 1;
}

int main(int argc, char** argv) {
    if (argc != 2 || chdir(argv[1]) != 0) return 2;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = end;  // without SA_RESTART: it interrupts the read
    sigaction(SIGTERM, &action, NULL);
    const int watch = inotify_init1(IN_CLOEXEC);
    if (watch < 0 || inotify_add_watch(watch, ".", IN_CREATE) < 0) return 1;
    puts("answering");
    fflush(stdout);
    long answered = 0;
    char buffer[4096] __attribute__((aligned(8)));
    while (!ended) {
        const ssize_t size = read(watch, buffer, sizeof buffer);
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event* event = (const struct inotify_event*)(buffer + at);
            if (unlink(event->name) == 0) ++answered;
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    printf("answered %ld\n", answered);
    return 0;
}
