#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/doctor.h"
#include "cli/doctor_parts.h"
#include "cli/idle_watch.h"
#include "cli/parse_parts.h"
#include "config/duration.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr Millis shortest{2'000};
constexpr Millis longest{86'400'000};

std::string counted(std::int64_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string list_of(const std::set<int>& pids) {
    std::string text;
    for (const int pid : pids) text += (text.empty() ? "" : ", ") + std::to_string(pid);
    return text;
}

/// "worker" or "relay", of one of these pools; empty: somebody else's.
std::string ours(const WhoSeen& who, const std::vector<std::string>& pools) {
    for (const std::string& pool : pools)
        for (const char* const kind : {"worker", "relay"})
            if (who.application == "dormouse " + std::string(kind) + " " + pool) return kind;
    return "";
}

std::string name_of(const WhoSeen& who) {
    std::string text = who.login.empty() ? who.kind : who.login;
    if (!who.application.empty()) text += " (" + who.application + ")";
    if (!who.client.empty()) text += " from " + who.client;
    if (!who.database.empty()) text += " in database " + who.database;
    return text;
}

/// What of it is a worker's or a relay's.
struct Sums {
    std::int64_t sessions = 0;
    std::int64_t statements = 0;
};

Sums sums_of(const IdleSeen& seen, const std::vector<std::string>& pools, const std::string& kind) {
    Sums sums;
    for (const auto& [who, activity] : seen.who) {
        if (ours(who, pools) != kind) continue;
        sums.sessions += activity.sessions;
        sums.statements += activity.statements;
    }
    return sums;
}

void add_ours(Findings& findings, const IdleSeen& seen, const std::vector<std::string>& pools) {
    const bool none = seen.workers.empty();
    findings.push_back({none ? Grade::ok : Grade::failed, "processes",
                        none ? "0 of workers of these pools"
                             : std::to_string(seen.workers.size()) +
                                   " of workers, and of what they have started: " + list_of(seen.workers),
                        none ? "" : "dormouse status: is it awake, and for what?"});
    const Sums sums = sums_of(seen, pools, "worker");
    const bool quiet = sums.sessions == 0;
    findings.push_back({quiet ? Grade::ok : Grade::failed, "sessions",
                        counted(sums.sessions, "session") + " and " + counted(sums.statements, "statement") +
                            " of a worker of these pools",
                        quiet ? "" : "dormouse workers"});
    const Sums relay = sums_of(seen, pools, "relay");
    if (relay.sessions > 0)
        findings.push_back({relay.statements == 0 ? Grade::note : Grade::failed, "relay",
                            counted(relay.sessions, "session") + " and " + counted(relay.statements, "statement") +
                                " of a relay, which listens for rings as long as it is switched on",
                            "docs/doorbells.md has doorbells without one"});
}

void add_others(Findings& findings, const IdleSeen& seen, const std::vector<std::string>& pools,
                const std::string& duration) {
    for (const auto& [who, activity] : seen.who) {
        if (!ours(who, pools).empty()) continue;
        const bool session = who.kind == "client backend" || who.kind.empty();
        const bool works = activity.statements > 0 || activity.busy;
        std::string text = name_of(who) + ": ";
        if (who.kind == "walsender")
            text += "somebody follows by replication, for which the server stays awake";
        else if (!session)
            text += "was at work, of Postgres itself or of an extension";
        else
            text += counted(activity.sessions, "session") + ", at least " + counted(activity.statements, "statement") +
                    " in " + duration +
                    (works ? "" : "; on some services an open session alone keeps the database awake");
        findings.push_back({session && works ? Grade::warning : Grade::note, session ? "others" : who.kind, text,
                            session ? "ask whose it is; " + std::string("SELECT * FROM pg_stat_activity") : ""});
    }
    if (seen.sessions_unseen > 0)
        findings.push_back({Grade::warning, "others",
                            counted(seen.sessions_unseen, "session") +
                                " came to this database and went between two looks, by pg_stat_database",
                            "log_connections = on tells whose they are"});
    for (const IdleStatement& one : seen.statements)
        findings.push_back(
            {Grade::note, "statement",
             counted(one.calls, "call") + " by " + one.login + " in database " + one.database + ": " + one.text, ""});
}

void add_watch(Findings& findings, const IdleSeen& seen) {
    findings.push_back(
        {Grade::note, "this watch",
         "1 session, " + counted(seen.looks, "statement") + " that took " +
             std::to_string(static_cast<long>(seen.cost_ms)) +
             " ms, are its own and counted nowhere above; a database that suspends itself stayed awake for "
             "it" +
             (seen.counts_statements ? ""
                                     : ". Without pg_stat_statements, of several statements that a "
                                       "session sends within a second one is seen"),
         ""});
    if (!seen.sees_all)
        findings.push_back({Grade::note, "login", "it is not told what the sessions of others do",
                            "GRANT pg_read_all_stats TO the login"});
}

std::string document_of(const IdleSeen& seen, const std::vector<std::string>& pools, Millis duration, bool well) {
    Json others = Json::array();
    for (const auto& [who, activity] : seen.who)
        if (ours(who, pools).empty())
            others.push_back({{"kind", who.kind},
                              {"login", who.login},
                              {"application", who.application},
                              {"client", who.client},
                              {"database", who.database},
                              {"sessions", activity.sessions},
                              {"statements", activity.statements},
                              {"busy", activity.busy}});
    Json statements = Json::array();
    for (const IdleStatement& one : seen.statements)
        statements.push_back(
            {{"calls", one.calls}, {"login", one.login}, {"database", one.database}, {"text", one.text}});
    const Sums worker = sums_of(seen, pools, "worker");
    const Sums relay = sums_of(seen, pools, "relay");
    const Json document{
        {"ok", well},
        {"seconds", static_cast<double>(duration.count()) / 1000},
        {"pools", pools},
        {"ours",
         {{"processes", seen.workers.size()}, {"sessions", worker.sessions}, {"statements", worker.statements}}},
        {"relay", {{"processes", seen.relays.size()}, {"sessions", relay.sessions}, {"statements", relay.statements}}},
        {"others", others},
        {"sessions_unseen", seen.sessions_unseen},
        {"sessions_in_other_databases", seen.made_elsewhere},
        {"transactions", seen.transactions},
        {"statements", seen.counts_statements ? statements : Json(nullptr)},
        {"sees_all", seen.sees_all},
        {"watch", {{"sessions", 1}, {"statements", seen.looks}, {"ms", seen.cost_ms}}}};
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Outcome examine_idle(const DoctorOptions& options) {
    const bool number = options.idle.find_first_not_of("0123456789") == std::string::npos;
    const auto duration = config::parse_duration(options.idle + (number ? "s" : ""));
    if (!duration) return give_up(Exit::usage, "--idle: " + duration.error().message);
    if (*duration < shortest || *duration > longest)
        return give_up(Exit::usage,
                       "--idle: expected " + config::duration_text(shortest) + " to " + config::duration_text(longest));
    const config::Environment environment = config::of_process();
    std::vector<std::string> pools = config::pools(environment);
    if (!options.database.pool.empty()) pools = {options.database.pool};
    const auto choice = choose_database(options.database, environment);
    if (!choice) return tl::unexpected(choice.error());
    auto opened = open_database(*choice, "doctor", postgres::Act::uses);
    if (!opened) return tl::unexpected(opened.error());
    if (const Status bounded = opened->connection.script("doctor", "SET statement_timeout = '5s'"); !bounded)
        return tl::unexpected(from(bounded.error()));
    const auto seen = watch_idle(opened->connection, pools, *duration);
    if (!seen) return tl::unexpected(from(seen.error()));
    Findings findings;
    add_ours(findings, *seen, pools);
    add_others(findings, *seen, pools, config::duration_text(*duration));
    add_watch(findings, *seen);
    const bool well = is_well(findings);
    if (options.json)
        print_json(findings, document_of(*seen, pools, *duration, well));
    else
        print_lines(findings);
    return well ? Exit::ok : Exit::attention;
}

}  // namespace dormouse::cli
