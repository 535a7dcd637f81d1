// listener CONNINFO CHANNEL [--claim QUEUE] [PROGRAM ARGUMENT]: the floor: what a program of a page does that
// LISTENs and starts PROGRAM at each notification. With --claim it first takes one run of the queue, as
// everybody who shares a queue has to.
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>

#include "stamps.h"

static PGconn* connection;

/// The number of rows.
static int query(const char* sql, const char* parameter) {
    PGresult* result = PQexecParams(connection, sql, parameter ? 1 : 0, NULL, &parameter, NULL, NULL, 0);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "listener: %s", PQerrorMessage(connection));
        exit(1);
    }
    const int rows = PQntuples(result);
    PQclear(result);
    return rows;
}

static const char* const claim =
    "UPDATE dormouse.runs_live SET status = 'running', started_at = now(), worker = dormouse.new_id(),"
    "       fence = nextval('dormouse.fence'), lease_until = now() + interval '1 min'"
    " WHERE id = (SELECT id FROM dormouse.runs_live"
    "              WHERE queue = $1 AND status IN ('queued', 'retry') AND run_at <= now()"
    "              ORDER BY priority, run_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id";

static int notified(void) {
    int count = 0;
    struct pollfd ready = {PQsocket(connection), POLLIN, 0};
    poll(&ready, 1, -1);
    if (!PQconsumeInput(connection)) die("the session is gone");
    for (PGnotify* one; (one = PQnotifies(connection)) != NULL; ++count) PQfreemem(one);
    return count;
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const char* queue = argc > 4 && strcmp(argv[3], "--claim") == 0 ? argv[4] : NULL;
    char** program = argv + (queue ? 5 : 3);
    signal(SIGCHLD, SIG_IGN);  // nobody waits for them
    connection = PQconnectdb(argv[1]);
    query("SET synchronous_commit = on", NULL);
    char listen[128];
    snprintf(listen, sizeof listen, "LISTEN \"%s\"", argv[2]);
    query(listen, NULL);
    puts("listening");
    fflush(stdout);
    for (;;) {
        if (!notified() || *program == NULL || (queue && query(claim, queue) == 0)) continue;
        pid_t pid;
        if (posix_spawn(&pid, *program, NULL, NULL, program, environ) != 0) die(*program);
    }
}
