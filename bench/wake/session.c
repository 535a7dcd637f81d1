// session CONNINFO: what a new session costs a bare libpq program that has just started: connecting, its
// first statement (for which the new backend fills its caches), LISTEN. Prints nanoseconds as one JSON
// object.
#include <libpq-fe.h>

#include "stamps.h"

static long long timed(PGconn* connection, const char* sql) {
    const long long began = now_ns(CLOCK_MONOTONIC);
    PGresult* result = PQexec(connection, sql);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fprintf(stderr, "session: %s", PQerrorMessage(connection));
        exit(1);
    }
    PQclear(result);
    return now_ns(CLOCK_MONOTONIC) - began;
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const long long began = now_ns(CLOCK_MONOTONIC);
    PGconn* connection = PQconnectdb(argv[1]);
    const long long connect = now_ns(CLOCK_MONOTONIC) - began;
    const long long first = timed(connection, "SELECT version FROM dormouse.migrations");
    const long long listen = timed(connection, "LISTEN bare");
    printf("{\"connect\": %lld, \"first\": %lld, \"listen\": %lld}\n", connect, first, listen);
    PQfinish(connection);
    return 0;
}
