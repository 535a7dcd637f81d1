// insert CONNINFO STAMPS QUEUE COUNT: an application that inserts runs one after another into a warm queue,
// each when the one before has long ended. Prints a JSON object for each: microseconds from the moment before
// the insert is sent to its acknowledgement, to the start of the transaction that claimed it (null when
// nobody did) and to the handler's first instruction.
#include <libpq-fe.h>
#include <poll.h>

#include <string>

#include "stamps.h"

namespace {

PGconn* connection = nullptr;

std::string value_of(PGresult* result) {
    const auto status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fprintf(stderr, "insert: %s", PQerrorMessage(connection));
        exit(1);
    }
    std::string value = PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    return value;
}

void pause_ms(long ms) {
    const timespec wait{ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, nullptr);
}

struct Moments {
    std::string id;
    long long sent, acknowledged = 0, started = 0;
};

Moments insert_and_wait(int stamps, const char* queue) {
    stamp stamp{};
    Moments moments{{}, now_ns(CLOCK_REALTIME)};
    if (PQsendQueryPrepared(connection, "insert", 1, &queue, nullptr, nullptr, 0) == 0) die("send");
    while (moments.acknowledged == 0 || moments.started == 0) {
        pollfd ready[] = {{PQsocket(connection), POLLIN, 0}, {stamps, POLLIN, 0}};
        if (moments.acknowledged != 0) ready[0].fd = -1;
        if (poll(ready, 2, 10000) <= 0) {
            fprintf(stderr, "insert: the handler of queue %s did not start within 10 s\n", queue);
            exit(1);
        }
        if (ready[0].revents != 0 && PQconsumeInput(connection) == 1 && PQisBusy(connection) == 0) {
            moments.id = value_of(PQgetResult(connection));
            moments.acknowledged = now_ns(CLOCK_REALTIME);
            while (PGresult* rest = PQgetResult(connection)) PQclear(rest);
        }
        if (ready[1].revents != 0) stamp = receive_stamp(stamps), moments.started = stamp.at;
    }
    if (stamp.run != std::string("-") && stamp.run != moments.id) {
        fprintf(stderr, "insert: run %s was expected, %s started\n", moments.id.c_str(), stamp.run);
        exit(1);
    }
    return moments;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const int stamps = receive_stamps_at(argv[2]);
    const char* queue = argv[3];
    connection = PQconnectdb(argv[1]);
    value_of(PQexec(connection, "SET synchronous_commit = on"));
    value_of(PQprepare(connection, "insert",
                       "INSERT INTO dormouse.runs (queue, task) VALUES ($1, 'stamp') RETURNING id", 1, nullptr));
    const char* claimed = "SELECT (extract(epoch FROM started_at) * 1000000)::bigint FROM dormouse.runs WHERE id = $1";
    for (int i = -10; i < atoi(argv[4]); ++i) {  // the first ones warm the plans
        const Moments moments = insert_and_wait(stamps, queue);
        pause_ms(20 + (i + 10) * 7 % 20);  // its end is written, and no rhythm of ours fits one of theirs
        const char* id = moments.id.c_str();
        const std::string at = value_of(PQexecParams(connection, claimed, 1, nullptr, &id, nullptr, nullptr, 0));
        pause_ms(5);
        if (i < 0) continue;
        const auto since = [&](long long at_ns) { return static_cast<double>(at_ns - moments.sent) / 1000; };
        printf("{\"acknowledged\": %.1f, \"claimed\": %s, \"started\": %.1f}\n", since(moments.acknowledged),
               at.empty() ? "null" : std::to_string(since(std::stoll(at) * 1000)).c_str(), since(moments.started));
    }
    unlink(argv[2]);
    PQfinish(connection);
    return 0;
}
