// What a producer does, with any product's statement of one parameter, which holds STATEMENT's file; TEXT is its value, one session.
// produce CONNINFO STATEMENT each COUNT PAUSE_MS TEXT: one after another; the @ in TEXT is the time. → "SENT ACKNOWLEDGED" in ns of
//   CLOCK_MONOTONIC, a line for each.
// produce CONNINFO STATEMENT batch COUNT SIZE TEXT: an array of SIZE times TEXT, until COUNT are enqueued. → one line of JSON.
#include <libpq-fe.h>

#include "stamps.h"

static PGconn* connection;

static void ok(PGresult* reply) {
    const ExecStatusType status = PQresultStatus(reply);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "produce: %s", PQerrorMessage(connection));
        exit(1);
    }
    PQclear(reply);
}
static void enqueue(const char* value) { ok(PQexecPrepared(connection, "enqueue", 1, &value, NULL, NULL, 0)); }

static void each(long count, long pause_ms, const char* text) {
    const char* place = strchr(text, '@');
    if (place == NULL) fputs("produce: there is no @ in the text\n", stderr), exit(2);
    for (long i = 0; i < count; ++i) {
        const long ms = pause_ms + i * 7 % 5 * (pause_ms / 20);  // no rhythm of ours shall fit one of theirs
        const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
        char value[1024];
        const long long sent = now_ns(CLOCK_MONOTONIC);
        snprintf(value, sizeof value, "%.*s%lld%s", (int)(place - text), text, sent, place + 1);
        enqueue(value);
        printf("%lld %lld\n", sent, now_ns(CLOCK_MONOTONIC));
    }
}

static void batches(long count, long size, const char* element) {
    const size_t length = strlen(element);
    char* value = malloc((size_t)size * (length + 1) + 2);
    const long long began = now_ns(CLOCK_MONOTONIC);
    for (long left = count; left > 0; left -= size) {
        char* end = value;
        for (long i = 0; i < size && i < left; ++i) {
            *end++ = i == 0 ? '{' : ',';
            end = mempcpy(end, element, length);
        }
        strcpy(end, "}");
        enqueue(value);
    }
    const double seconds = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9;
    printf("{\"runs\": %ld, \"seconds\": %.3f}\n", count, seconds);
    free(value);
}

int main(int argc, char** argv) {
    if (argc != 7) return 2;
    char sql[65536];
    FILE* file = fopen(argv[2], "r");
    if (file == NULL) die(argv[2]);
    sql[fread(sql, 1, sizeof sql - 1, file)] = '\0';
    connection = PQconnectdb(argv[1]);
    ok(PQprepare(connection, "enqueue", sql, 0, NULL));
    (strcmp(argv[3], "each") == 0 ? each : batches)(atol(argv[4]), atol(argv[5]), argv[6]);
    PQfinish(connection);
    return 0;
}
