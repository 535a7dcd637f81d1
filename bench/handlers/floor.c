// What there is to lose: the same work without dormouse. Prints one JSON line.
//   floor spawn SECONDS AT_ONCE -- COMMAND …              posix_spawn and wait
//   floor pipe SECONDS UNANSWERED PROCESSES -- COMMAND …  lines to processes on bare sockets, and their answers
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_processes = 16, most_unanswered = 64, most_samples = 4000000 };
static double samples[most_samples];
static long count;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static void report(double seconds) {
    const long kept = count < most_samples ? count : most_samples;
    qsort(samples, (size_t)kept, sizeof *samples, by_size);
    printf("{\"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", (double)count / seconds,
           samples[kept / 2] * 1e6, samples[kept * 99 / 100] * 1e6);
}
static void sample(double took) {
    if (count < most_samples) samples[count] = took;
    ++count;
}
static pid_t start(char **command) {
    extern char **environ;
    pid_t pid;
    if (posix_spawn(&pid, command[0], NULL, NULL, command, environ) != 0) exit(1);
    return pid;
}

static void spawning(double seconds, int at_once, char **command) {
    double began[most_unanswered];
    pid_t pids[most_unanswered];
    const double begin = now();
    for (int i = 0; i < at_once; ++i) began[i] = now(), pids[i] = start(command);
    int running = at_once;
    while (running > 0) {
        const pid_t pid = wait(NULL);
        int i = 0;
        while (pids[i] != pid) ++i;
        const double time = now();
        sample(time - began[i]);
        pids[i] = -1;
        if (time - begin < seconds) began[i] = now(), pids[i] = start(command);
        else --running;
    }
    report(now() - begin);
}

static int processes, unanswered;
static int fds[most_processes];
static double sent_at[most_processes][most_unanswered];
static unsigned long sent[most_processes], answered[most_processes];

static void ask(int i) {
    static const char line[] =
        "{\"type\":\"run\",\"id\":\"01a203aa-64db-726e-88bd-89d26dc6467f\",\"task\":\"noop\",\"queue\":\"default\","
        "\"attempt\":1,\"max_attempts\":1,\"fence\":\"1:01a203aa-64db-726e-88bd-89d26dc6467f\",\"deadline\":1795452105.123,"
        "\"payload\":{\"image\": \"album/2026/1.jpeg\", \"width\": 1024}}\n";
    sent_at[i][sent[i]++ % most_unanswered] = now();
    if (write(fds[i], line, sizeof line - 1) != (ssize_t)(sizeof line - 1)) exit(1);
}
static int hear(int i) { // how many lines came
    char piece[65536];
    const ssize_t got = read(fds[i], piece, sizeof piece);
    if (got <= 0) exit(1);
    int lines = 0;
    for (ssize_t at = 0; at < got; ++at) lines += piece[at] == '\n';
    return lines;
}

static void piping(double seconds, char **command) {
    for (int i = 0; i < processes; ++i) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
        char number[16];
        const int theirs = dup(ends[1]);
        snprintf(number, sizeof number, "%d", theirs);
        setenv("DORMOUSE_CONTROL_FD", number, 1);
        start(command);
        close(theirs);
        close(ends[1]);
        fds[i] = ends[0];
    }
    for (int i = 0; i < processes; ++i) hear(i); // its hello
    const double begin = now();
    for (int i = 0; i < processes; ++i)
        for (int j = 0; j < unanswered; ++j) ask(i);
    struct pollfd ready[most_processes];
    long open = (long)processes * unanswered;
    while (open > 0) {
        for (int i = 0; i < processes; ++i) ready[i] = (struct pollfd){fds[i], POLLIN, 0};
        poll(ready, (nfds_t)processes, -1);
        for (int i = 0; i < processes; ++i) {
            if (ready[i].revents == 0) continue;
            for (int lines = hear(i); lines > 0; --lines) {
                const double time = now();
                sample(time - sent_at[i][answered[i]++ % most_unanswered]);
                if (time - begin < seconds) ask(i);
                else --open;
            }
        }
    }
    report(now() - begin);
}

int main(int arguments, char **words) {
    if (arguments < 6) return 2;
    const double seconds = atof(words[2]);
    if (strcmp(words[1], "spawn") == 0) {
        spawning(seconds, atoi(words[3]), words + 5);
    } else {
        unanswered = atoi(words[3]);
        processes = atoi(words[4]);
        piping(seconds, words + 6);
    }
    return 0;
}
