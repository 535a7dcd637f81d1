#include "cli/idle_watch.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <thread>
#include <utility>

#include "cli/process_alive.h"
#include "handlers/proc.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

constexpr Millis between_looks{1'000};
constexpr Millis settling{1'100};
constexpr std::size_t most_statements = 5;

using Connection = postgres::BlockingConnection;
using postgres::Reply;

/// Whether one of its arguments is one of these.
bool names_one(pid_t pid, const std::vector<std::string>& pools) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    for (std::string argument; std::getline(file, argument, '\0');)
        if (std::find(pools.begin(), pools.end(), argument) != pools.end()) return true;
    return false;
}

/// Its units' processes are known by their cgroups, others by their command line.
void add_processes(IdleSeen& seen, const std::vector<std::string>& pools) {
    for (const pid_t pid : handlers::all_processes()) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
        std::string group;
        std::getline(file, group, '\0');
        const auto in_unit = [&](const std::string& unit) {
            return group.find("/" + unit + ".service") != std::string::npos;
        };
        for (const std::string& pool : pools) {
            if (in_unit("dormouse@" + pool)) seen.workers.insert(pid);
            if (in_unit("dormouse-relay@" + pool)) seen.relays.insert(pid);
        }
        if (is_worker(pid) && names_one(pid, pools)) seen.workers.insert(pid);
    }
}

/// One session, as the last look saw it.
struct Known {
    WhoSeen who;
    std::string statement_since;
};

class IdleWatcher {
  public:
    IdleWatcher(Connection& connection, IdleSeen& seen)
        : connection_(connection), seen_(seen), here_(PQdb(connection.get())) {}

    Result<Reply> ask(const char* what, const std::string& sql) {
        const auto begin = BootClock::now();
        auto reply = connection_.ask(what, sql);
        ++seen_.looks;
        seen_.cost_ms += std::chrono::duration<double, std::milli>(BootClock::now() - begin).count();
        return reply;
    }

    Status look() {
        const auto reply = ask("idle", sql::cli::idle_sessions);
        if (!reply) return tl::unexpected(reply.error());
        for (int row = 0; row < reply->rows(); ++row) take(*reply, row);
        first_ = false;
        return {};
    }

  private:
    void take(const Reply& reply, int row) {
        const auto text = [&](int column) { return std::string(reply.text(row, column)); };
        const WhoSeen who{text(6), text(3), text(4), text(5), text(2)};
        const std::string state = text(7);
        const std::string since = text(8);
        const std::string key = text(0) + " " + text(1);
        Activity& activity = seen_.who[who];
        const auto [known, is_new] = sessions_.try_emplace(key, Known{who, since});
        if (is_new) ++activity.sessions;
        if (is_new && !first_ && (who.kind.empty() || who.kind == "client backend") && who.database == here_)
            ++seen_.sessions_new;
        // In the first look only what is at work counts: when the others' last statements were does not matter.
        const bool at_work = state == "active" || state.starts_with("idle in transaction");
        if (is_new ? !since.empty() && (!first_ || at_work) : known->second.statement_since != since)
            ++activity.statements;
        activity.busy = activity.busy || at_work;
        known->second.statement_since = since;
    }

    Connection& connection_;
    IdleSeen& seen_;
    std::string here_;
    std::map<std::string, Known> sessions_;
    bool first_ = true;
};

struct Counters {
    std::int64_t sessions = 0;
    std::int64_t transactions = 0;
    std::int64_t elsewhere = 0;
    std::string schema;  ///< of pg_stat_statements; empty: it is not there
    bool sees_all = false;
};

Result<Counters> counters(IdleWatcher& watch) {
    const auto reply = watch.ask("idle", sql::cli::idle_counters);
    if (!reply) return tl::unexpected(reply.error());
    return Counters{reply->integer(0, 0), reply->integer(0, 1), reply->integer(0, 2), std::string(reply->text(0, 3)),
                    reply->boolean(0, 4)};
}

using Calls = std::map<std::string, IdleStatement>;

/// Of everybody in the server, by login, database and statement; ours, which ask this, are left out. Empty where it is
/// not readable or not loaded.
std::optional<Calls> calls(IdleWatcher& watch, const std::string& schema) {
    if (schema.empty()) return std::nullopt;
    std::string quoted;
    for (const char c : schema) quoted += c == '"' ? "\"\"" : std::string(1, c);
    const auto reply = watch.ask(
        "pg_stat_statements",
        "SELECT s.userid, s.dbid, s.queryid, pg_catalog.pg_get_userbyid(s.userid)::text, coalesce(d.datname::text, ''), "
        "pg_catalog.left(pg_catalog.regexp_replace(s.query, '\\s+', ' ', 'g'), 200), s.calls FROM \"" +
            quoted +
            "\".pg_stat_statements s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid "
            "WHERE s.query !~ 'pg_stat_(activity|database|statements)' OR s.userid <> "
            "(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)");
    if (!reply) return std::nullopt;
    Calls all;
    for (int row = 0; row < reply->rows(); ++row) {
        const auto text = [&](int column) { return std::string(reply->text(row, column)); };
        IdleStatement& one = all[text(0) + " " + text(1) + " " + text(2)];
        one = {text(3), text(4), text(5), one.calls + reply->integer(row, 6)};
    }
    return all;
}

std::vector<IdleStatement> most_frequent(const Calls& before, Calls after) {
    std::vector<IdleStatement> list;
    for (auto& [key, one] : after) {
        const auto known = before.find(key);
        one.calls -= known == before.end() ? 0 : known->second.calls;
        if (one.calls > 0) list.push_back(std::move(one));
    }
    std::stable_sort(list.begin(), list.end(),
                     [](const IdleStatement& one, const IdleStatement& other) { return one.calls > other.calls; });
    list.resize(std::min(list.size(), most_statements));
    return list;
}

}  // namespace

Result<IdleSeen> watch_idle(Connection& connection, const std::vector<std::string>& pools, Millis duration) {
    IdleSeen seen;
    IdleWatcher watch(connection, seen);
    // The server counts a session, and what it does, up to a second late: this one's own comes before.
    if (auto asked = counters(watch); !asked) return tl::unexpected(asked.error());
    std::this_thread::sleep_for(settling);
    if (auto asked = counters(watch); !asked) return tl::unexpected(asked.error());
    const auto before = counters(watch);
    if (!before) return tl::unexpected(before.error());
    seen.sees_all = before->sees_all;
    const auto calls_before = calls(watch, before->schema);
    const std::int64_t asked_before = seen.looks;
    const auto end = BootClock::now() + duration;
    while (true) {
        add_processes(seen, pools);
        if (Status looked = watch.look(); !looked) return tl::unexpected(looked.error());
        const auto left = std::chrono::ceil<Millis>(end - BootClock::now());
        if (left <= Millis{0}) break;
        std::this_thread::sleep_for(std::min(left, between_looks));
    }
    const auto calls_after = calls(watch, before->schema);
    const std::int64_t own = seen.looks - asked_before;
    const auto after = counters(watch);
    if (!after) return tl::unexpected(after.error());
    seen.sessions_unseen = std::max<std::int64_t>(0, after->sessions - before->sessions - seen.sessions_new);
    seen.made_elsewhere = std::max<std::int64_t>(0, after->elsewhere - before->elsewhere);
    seen.transactions = std::max<std::int64_t>(0, after->transactions - before->transactions - own);
    seen.counts_statements = calls_before && calls_after;
    if (seen.counts_statements) seen.statements = most_frequent(*calls_before, *calls_after);
    return seen;
}

}  // namespace dormouse::cli
