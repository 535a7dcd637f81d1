// ceiling CONNINFO bare|dormouse COUNT BATCH CONNECTIONS TRANSACTIONS [CLAIM.sql FINISH.sql OPEN_SESSION.sql [RESULT]]: what Postgres on
// this machine allows: claims a batch and completes it until nothing is left, in as many transactions (1: completing a batch goes with
// claiming the next, as a worker's rounds do; 2: each by itself). bare: a table of three columns. dormouse: the statements of the worker,
// its columns, indexes and the record of the attempt. → points of progress and one line of figures, JSON.
#include <endian.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "stamps.h"

enum { most_parameters = 11, uuid_oid = 2950, text_oid = 25, bigint_oid = 20, smallint_oid = 21, boolean_oid = 16 };

struct text {
    char* bytes;
    size_t size;
};
static struct text claim_sql, finish_sql, session_sql;
static const char* conninfo;
static const char* result;  // JSON text of each run, or null
static bool ours;
static int batch, transactions;
static atomic_long done;
static atomic_int working, again;

struct parameters {
    int count;
    struct text value[most_parameters];
};
static void put(struct text* text, const void* bytes, size_t size) {
    text->bytes = realloc(text->bytes, text->size + size);
    if (text->bytes == NULL) die("realloc");
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}
static void put32(struct text* text, int32_t value) {
    const uint32_t wire = htobe32((uint32_t)value);
    put(text, &wire, sizeof wire);
}
static void put64(struct text* text, int64_t value) {
    const uint64_t wire = htobe64((uint64_t)value);
    put(text, &wire, sizeof wire);
}
/// The next parameter.
static struct text* next(struct parameters* parameters) { return &parameters->value[parameters->count++]; }
static struct text* array(struct parameters* parameters, int32_t type, int32_t count) {
    struct text* text = next(parameters);
    const int32_t head[] = {count > 0, 1, type, count, 1};  // dimensions, may hold nulls, …, first index
    for (int i = 0; i < (count > 0 ? 5 : 3); ++i) put32(text, head[i]);
    return text;
}
/// An array with the same element everywhere; none: null.
static void same(struct parameters* parameters, int32_t type, int32_t count, const char* element, int32_t size) {
    struct text* text = array(parameters, type, count);
    for (int i = 0; i < count; ++i) {
        put32(text, element ? size : -1);
        if (element) put(text, element, (size_t)size);
    }
}
/// A column of claimed rows as an array.
static void column(struct parameters* parameters, int32_t type, const PGresult* rows, int number) {
    struct text* text = array(parameters, type, PQntuples(rows));
    for (int i = 0; i < PQntuples(rows); ++i) {
        put32(text, PQgetlength(rows, i, number));
        put(text, PQgetvalue(rows, i, number), (size_t)PQgetlength(rows, i, number));
    }
}

static void fail(PGconn* connection, PGresult* reply) {
    fprintf(stderr, "ceiling: %s%s", PQresultErrorMessage(reply), PQerrorMessage(connection));
    exit(1);
}
static void ok(PGconn* connection, PGresult* reply) {
    if (PQresultStatus(reply) != PGRES_COMMAND_OK && PQresultStatus(reply) != PGRES_TUPLES_OK) fail(connection, reply);
}
static void send_prepared(PGconn* connection, const char* name, struct parameters* parameters) {
    const char* values[most_parameters];
    int sizes[most_parameters], formats[most_parameters];
    for (int i = 0; i < parameters->count; ++i) {
        values[i] = parameters->value[i].bytes;
        sizes[i] = (int)parameters->value[i].size;
        formats[i] = 1;
    }
    if (!PQsendQueryPrepared(connection, name, parameters->count, values, sizes, formats, 1)) fail(connection, NULL);
    for (int i = 0; i < parameters->count; ++i) free(parameters->value[i].bytes);
}
static void end_transaction(PGconn* connection) {
    if (!PQpipelineSync(connection)) fail(connection, NULL);
}
/// The reply to the oldest statement.
static PGresult* receive(PGconn* connection) {
    PGresult* reply = PQgetResult(connection);
    ok(connection, reply);
    PQclear(PQgetResult(connection));
    return reply;
}
static void receive_end(PGconn* connection) {
    PGresult* reply = PQgetResult(connection);
    if (PQresultStatus(reply) != PGRES_PIPELINE_SYNC) fail(connection, reply);
    PQclear(reply);
}

static const char worker_id[16] = "the ceiling's id";
static void send_claim(PGconn* connection) {
    struct parameters p = {0};
    if (ours) {
        struct text* queues = array(&p, text_oid, 1);
        put32(queues, 7);
        put(queues, "default", 7);
    }
    put32(next(&p), batch);
    if (ours) {
        put(next(&p), worker_id, sizeof worker_id);
        put64(next(&p), 300000);
        put64(next(&p), 16 << 20);
        same(&p, text_oid, 1, "nothing", 7);
        struct text* slots = array(&p, bigint_oid, 1);
        put32(slots, 8);
        put64(slots, 1 << 30);
        array(&p, uuid_oid, 0);
    }
    send_prepared(connection, "claim", &p);
}
static void send_finish(PGconn* connection, const PGresult* rows) {
    struct parameters p = {0};
    const int count = PQntuples(rows);
    if (ours) put(next(&p), worker_id, sizeof worker_id);
    column(&p, ours ? uuid_oid : bigint_oid, rows, 0);
    if (ours) {
        column(&p, bigint_oid, rows, 1);
        same(&p, text_oid, count, "completed", 9);
        same(&p, text_oid, count, result, result ? (int32_t)strlen(result) : 0);
        const int32_t nulls[] = {text_oid, smallint_oid, smallint_oid, bigint_oid, bigint_oid};
        for (int i = 0; i < 5; ++i) same(&p, nulls[i], count, NULL, 0);
        same(&p, boolean_oid, count, "\1", 1);
    }
    send_prepared(connection, "finish", &p);
}
/// How many of them are completed now. A row can be locked for the moment: by a claim that wanted it too and came too late.
static int finished(PGconn* connection) {
    PGresult* reply = receive(connection);
    const int ended = ours ? PQntuples(reply) : atoi(PQcmdTuples(reply));
    atomic_fetch_add(&done, ended);
    PQclear(reply);
    return ended;
}

static PGconn* open_session(void) {
    PGconn* connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK) fail(connection, NULL);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", PQbackendPID(connection));
    const char* values[] = {pid};
    PGresult* replies[] = {PQexecParams(connection, session_sql.bytes, 1, NULL, values, NULL, NULL, 0),
                           PQprepare(connection, "claim", claim_sql.bytes, 0, NULL),
                           PQprepare(connection, "finish", finish_sql.bytes, 0, NULL)};
    for (int i = 0; i < 3; ++i) ok(connection, replies[i]), PQclear(replies[i]);
    PQenterPipelineMode(connection);
    return connection;
}
static int finish_alone(PGconn* connection, const PGresult* rows) {
    send_finish(connection, rows);
    end_transaction(connection);
    const int ended = finished(connection);
    receive_end(connection);
    return ended;
}
static void* work(void* none) {
    PGconn* connection = open_session();
    for (PGresult* held = NULL;;) {
        PGresult* last = held;
        int left = last ? PQntuples(last) : 0;
        const bool together = last && transactions == 1;
        if (last && !together) left -= finish_alone(connection, last);
        if (together) send_finish(connection, last);
        send_claim(connection);
        end_transaction(connection);
        if (together) left -= finished(connection);
        held = receive(connection);
        receive_end(connection);
        for (; left > 0; atomic_fetch_add(&again, 1)) left -= finish_alone(connection, last);
        PQclear(last);
        if (PQntuples(held) == 0) break;
    }
    PQfinish(connection);
    atomic_fetch_sub(&working, 1);
    return none;
}

static struct text file(const char* path) {
    FILE* stream = fopen(path, "r");
    if (stream == NULL) die(path);
    struct text text = {0};
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, stream)) > 0;) put(&text, part, size);
    put(&text, "", 1);
    fclose(stream);
    return text;
}

int main(int argc, char** argv) {
    if (argc < 10) return 2;
    conninfo = argv[1];
    ours = strcmp(argv[2], "dormouse") == 0;
    const long count = atol(argv[3]);
    batch = atoi(argv[4]);
    const int connections = atoi(argv[5]);
    transactions = atoi(argv[6]);
    claim_sql = file(argv[7]);
    finish_sql = file(argv[8]);
    session_sql = file(argv[9]);
    result = argc > 10 ? argv[10] : NULL;
    pthread_t threads[16];
    working = connections;
    const long long began = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < connections; ++i)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0) die("pthread_create");
    double seconds = 0;
    for (bool more = true; more;) {
        const struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
        more = atomic_load(&working) > 0 && atomic_load(&done) < count;
        const double at = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9;
        if (at - seconds < 0.1 && more) continue;
        printf("{\"at_s\": %.3f, \"done\": %ld}\n", at, atomic_load(&done));
        seconds = at;
    }
    for (int i = 0; i < connections; ++i) pthread_join(threads[i], NULL);
    printf("{\"runs\": %ld, \"seconds\": %.3f, \"finished_again\": %d}\n", atomic_load(&done), seconds, atomic_load(&again));
    return 0;
}
