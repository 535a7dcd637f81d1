#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <cmath>

#include "cli/account.h"
#include "cli/doctor_parts.h"
#include "cli/server_unit.h"
#include "postgres/hosts.h"
#include "sql/embedded.h"
#include "store/server_proof.h"
#include "systemd/order.h"

namespace dormouse::cli {
namespace {

constexpr Millis longest_order_answer{2'000};
constexpr const char* bounds = "SET statement_timeout = '5s'; SET lock_timeout = '1s'";
constexpr double little_skew_s = 1;
constexpr double much_skew_s = 30;
constexpr const char* old_snapshot_s = "300";
constexpr const char* long_held_s = "60";
constexpr const char* many_dead_rows = "50000";

using Connection = postgres::BlockingConnection;

Grade grade_of(std::string_view word) {
    for (const Grade grade : {Grade::ok, Grade::note, Grade::warning})
        if (word == to_string(grade)) return grade;
    return Grade::failed;
}

Finding not_asked(const char* about, const Error& error) {
    return {Grade::warning, about, "the query failed: " + error.message, "dormouse doctor, once more"};
}

/// Statements whose rows are findings, and what is said where they have none.
struct Question {
    const char* about;
    const char* sql;
    const char* parameter;
    const char* well;
};

void ask(Findings& findings, Connection& connection, const Question& question) {
    const auto reply = question.parameter == nullptr ? connection.ask(question.about, question.sql)
                                                     : connection.ask(question.about, question.sql,
                                                                      {std::optional<std::string>(question.parameter)});
    if (!reply) return findings.push_back(not_asked(question.about, reply.error()));
    for (int row = 0; row < reply->rows(); ++row)
        findings.push_back({grade_of(reply->text(row, 0)), std::string(reply->text(row, 1)),
                            std::string(reply->text(row, 2)), std::string(reply->text(row, 3))});
    if (reply->rows() == 0 && *question.well != '\0')
        findings.push_back({Grade::ok, question.about, question.well, ""});
}

bool sleeps(const std::string& kind) {
    return kind == "Neon" || kind == "Lakebase" || kind == "Amazon Aurora";
}

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string seconds(double value) {
    return std::to_string(static_cast<long>(std::lround(value))) + " s";
}

/// By the middle of the question; what the way may take is no skew.
void look_at_clock(Findings& findings, double before, double told, double after) {
    const double skew = told - (before + after) / 2;
    const double off = std::max(0.0, std::abs(skew) - (after - before) / 2);
    if (off < little_skew_s) return findings.push_back({Grade::ok, "clock", "as this host's", ""});
    findings.push_back({off < much_skew_s ? Grade::note : Grade::warning, "clock",
                        "the database's is " + seconds(off) + (skew > 0 ? " ahead of" : " behind") + " this host's",
                        "timedatectl, on both"});
}

void look_at_way(Findings& findings, const Connection& connection, const std::string& url, bool pooled) {
    PGconn* const raw = connection.get();
    const bool local = PQhost(raw) == nullptr || *PQhost(raw) == '/' || *PQhost(raw) == '\0';
    if (pooled)
        findings.push_back({Grade::warning, "pooler", "something between hands this session to another backend",
                            "put the direct host into database.url"});
    if (const std::string warning = store::unproven_server(url); !warning.empty()) {
        const std::size_t remedy = warning.rfind("; write ");
        return findings.push_back({Grade::warning, "TLS", warning.substr(0, remedy), warning.substr(remedy + 2)});
    }
    if (local) return findings.push_back({Grade::ok, "TLS", "not needed: a socket of this machine", ""});
    if (const std::string address = PQhostaddr(raw);
        PQsslInUse(raw) == 0 && (address.starts_with("127.") || address == "::1"))
        return findings.push_back({Grade::ok, "TLS", "not needed: the address is this machine's own", ""});
    const char* const protocol = PQsslAttribute(raw, "protocol");
    findings.push_back({Grade::ok, "TLS", protocol == nullptr ? "in use" : protocol, ""});
}

void look_at_server(Findings& findings, Connection& connection, const config::Database& database) {
    const double before = unix_now();
    const auto reply = connection.ask("server", sql::cli::doctor_server);
    const double after = unix_now();
    if (!reply) return findings.push_back(not_asked("server", reply.error()));
    const std::string kind(reply->text(0, 1));
    std::string text = std::string(reply->text(0, 0)) + (kind.empty() ? ", one's own" : " of " + kind);
    const bool suspends = sleeps(kind) || postgres::known_to_suspend(PQhost(connection.get()));
    if (suspends) text += ", which can suspend itself";
    findings.push_back({Grade::ok, "server", text, ""});
    if (suspends && database.close_after == Millis{0} && !postgres::known_to_suspend(PQhost(connection.get())))
        findings.push_back({Grade::note, "server", "an awake worker keeps it from suspending itself",
                            "database.close_after = \"10s\" in the pool's file, if it should"});
    look_at_way(findings, connection, database.url, reply->integer(0, 2) != PQbackendPID(connection.get()));
    look_at_clock(findings, before, reply->real(0, 3), after);
}

/// Who waits for whom at a shutdown, of the pools of this server on this machine.
void look_at_order(Findings& findings, const Connection& connection, const Overview& overview) {
    const std::string server = unit_of_server(connection);
    if (server.empty()) return;
    for (const PoolSeen& pool : overview.pools) {
        if (!pool.units || !pool.units->on()) continue;
        const auto before = systemd::ends_before(pool.name, server, longest_order_answer);
        if (!before || *before) continue;  // look_at_units() says that the bus does not answer
        const std::string path = systemd::order_path(pool.name);
        const std::string directory = path.substr(0, path.rfind('/'));
        findings.push_back({Grade::warning, "pool " + pool.name + ": shutdown",
                            server + ", its server, does not wait for the worker, so what runs then is lost and counts",
                            "mkdir -p " + directory + "; printf '[Unit]\\nAfter=%s\\n' " + shell_word(server) + " >" +
                                path + "; systemctl daemon-reload"});
    }
}

const char* remedy_for(Exit exit) {
    switch (exit) {
        case Exit::schema:
            return "dormouse migrate";
        case Exit::config:
        case Exit::usage:
            return "dormouse config";
        case Exit::denied:
            return "for a password: the file that the message or database.url names, then dormouse wake POOL; for grants: "
                   "dormouse setup URL --dry-run shows them";
        default:
            return "pg_isready, with the host and port of database.url";
    }
}

}  // namespace

void look_at_database(Findings& findings, Overview& overview, const DatabaseOptions& options) {
    const auto failed = [&](const char* about, const Failure& failure) {
        findings.push_back({Grade::failed, about, failure.message, remedy_for(failure.exit)});
    };
    const auto choice = choose_database(options, config::of_process());
    if (!choice) return failed("database", choice.error());
    auto opened = open_database(*choice, "doctor", postgres::Act::uses);
    if (!opened) return failed("database", opened.error());
    Connection& connection = opened->connection;
    if (const Status bounded = connection.script("doctor", bounds); !bounded)
        return failed("database", from(bounded.error()));
    findings.push_back({Grade::ok, "database", "answers (" + choice->origin + ")", ""});
    look_at_server(findings, connection, choice->database);
    look_at_order(findings, connection, overview);
    ask(findings, connection,
        {"settings", sql::cli::doctor_settings, nullptr, "writable, UTF-8, the NOTIFY queue is empty enough"});
    if (!opened->schema_exists) return failed("schema", {Exit::schema, "there is no schema dormouse in this database"});
    const auto fits = check_schema(connection);
    fits ? findings.push_back({Grade::ok, "schema", "fits this release", ""}) : failed("schema", fits.error());
    for (const Question& question :
         std::array{Question{"login", sql::cli::doctor_rights, nullptr, ""},
                    Question{"triggers", sql::cli::doctor_strangers, nullptr,
                             "dormouse's are enabled; no others, no row security"},
                    Question{"autovacuum", sql::cli::doctor_vacuum, many_dead_rows, "on, and dead rows are few"},
                    Question{"locks", sql::cli::doctor_locks, long_held_s, "no session blocks others"},
                    Question{"snapshots", sql::cli::doctor_snapshots, old_snapshot_s, "none is older than 5 min"},
                    Question{"publications", sql::cli::doctor_publications, nullptr, "none has our tables"}})
        ask(findings, connection, question);
    if (!fits) return;
    if (const auto known = add_database(overview, connection); !known)
        findings.push_back({Grade::warning, "queues", known.error().message, "dormouse status"});
}

}  // namespace dormouse::cli
