#include "cli/status.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/at_rest.h"
#include "cli/attention.h"
#include "cli/endings.h"
#include "cli/overview.h"
#include "cli/status_text.h"
#include "cli/text.h"
#include "cli/when.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

Json time_json(std::optional<double> time) {
    return time ? Json(iso(*time)) : Json(nullptr);
}

Json ended_json(const Ended& ended) {
    return {{"completed", ended.completed}, {"failed", ended.failed}, {"canceled", ended.canceled}};
}

/// The names of those counts that may be more.
Json at_least(const QueueSeen::More& more) {
    Json names = Json::array();
    for (const auto& [name, set] :
         {std::pair{"due", more.due}, std::pair{"put_off", more.put_off}, std::pair{"running", more.running},
          std::pair{"retrying", more.retrying}, std::pair{"blocked", more.blocked}})
        if (set) names.push_back(name);
    return names;
}

Json pool_json(const PoolSeen& pool) {
    Json workers = Json::array();
    for (const WorkerSeen& worker : pool.workers)
        workers.push_back({{"id", worker.id},
                           {"host", worker.host},
                           {"state", worker.state},
                           {"ended", worker.ended.empty() ? Json(nullptr) : Json(worker.ended)},
                           {"evidence", worker.evidence},
                           {"started_at", iso(worker.started_at)},
                           {"left_at", time_json(worker.left_at)},
                           {"seen_at", time_json(worker.seen_at)},
                           {"runs", worker.runs},
                           {"lease_until", time_json(worker.lease_until)},
                           {"concurrency", worker.concurrency == 0 ? Json(nullptr) : Json(worker.concurrency)},
                           {"configured", worker.configured == 0 ? Json(nullptr) : Json(worker.configured)},
                           {"run", worker.run.empty() ? Json(nullptr) : Json(worker.run)},
                           {"run_status", worker.run_status.empty() ? Json(nullptr) : Json(worker.run_status)},
                           {"version", worker.version}});
    const bool broken = pool.local && !pool.local->problem.empty();
    Json units = nullptr;
    if (pool.units)
        units = {{"target", pool.units->target},       {"socket", pool.units->socket},
                 {"path", pool.units->path},           {"service", pool.units->service},
                 {"due_timer", pool.units->due_timer}, {"at_boot", pool.units->at_boot},
                 {"relay", pool.units->relay}};
    return {{"pool", pool.name},
            {"configured", configured(pool).text},
            {"queues", pool.queues},
            {"file", pool.local ? Json(pool.local->file) : Json(nullptr)},
            {"problem", broken ? Json(pool.local->problem) : Json(nullptr)},
            {"doorbell", pool.listening},
            {"put_aside", pool.put_aside},
            {"hidden", pool.hidden ? pool.hidden->files : 0},
            {"units", units},
            {"scaled", pool.scaled ? Json::parse(scaled_json(*pool.scaled)) : Json(nullptr)},
            {"workers", workers}};
}

Json document_of(const Overview& overview) {
    Json document{{"now", iso(overview.now)},
                  {"pools", Json::array()},
                  {"queues", Json::array()},
                  {"unknown_tasks", Json::array()},
                  {"stuck", Json::array()},
                  {"stuck_count", overview.stuck_count},
                  {"more_stuck", overview.more_stuck},
                  {"more_queues", overview.more_queues},
                  {"holders", Json::array()},
                  {"retention", Json::array()},
                  {"attention", Json::array()},
                  {"failing", Json::array()},
                  {"endings", Json::array()}};
    for (const PoolSeen& pool : overview.pools) document["pools"].push_back(pool_json(pool));
    for (const QueueSeen& queue : overview.queues)
        document["queues"].push_back({{"queue", queue.name},
                                      {"due", queue.due},
                                      {"put_off", queue.put_off},
                                      {"running", queue.running},
                                      {"retrying", queue.retrying},
                                      {"blocked", queue.blocked},
                                      {"at_least", at_least(queue.more)},
                                      {"oldest_due_at", time_json(queue.oldest_due_at)},
                                      {"next_run_at", time_json(queue.next_run_at)},
                                      {"served_by", queue.served_by}});
    for (const UnknownTask& one : overview.unknown)
        document["unknown_tasks"].push_back(
            {{"queue", one.queue}, {"task", one.task}, {"runs", one.runs}, {"oldest", iso(one.oldest)}});
    for (const Holder& one : overview.holders)
        document["holders"].push_back({{"queue", one.queue},
                                       {"who", one.who},
                                       {"since", time_json(one.since)},
                                       {"why", one.why},
                                       {"remedy", one.remedy}});
    for (const Hindered& one : overview.retention)
        document["retention"].push_back({{"pool", one.pool}, {"trouble", one.trouble}});
    for (const FailingTask& task : overview.failing)
        document["failing"].push_back({{"task", task.task},
                                       {"failed_last_hour", task.failed_in_an_hour},
                                       {"failed_last_day", task.failed_in_a_day},
                                       {"more", task.more},
                                       {"retrying", task.retrying},
                                       {"newest", task.newest},
                                       {"error_class", task.error_class},
                                       {"error", task.error_message}});
    for (const TaskEndings& one : overview.endings)
        document["endings"].push_back(
            {{"task", one.task}, {"last_hour", ended_json(one.hour)}, {"last_day", ended_json(one.day)}});
    for (const StuckRun& run : overview.stuck)
        document["stuck"].push_back({{"id", run.id},
                                     {"task", run.task},
                                     {"queue", run.queue},
                                     {"status", run.status},
                                     {"since", iso(run.since)},
                                     {"reason", run.reason}});
    for (const Attention& one : attention(overview))
        document["attention"].push_back({{"level", one.level == Severity::critical ? "critical" : "warning"},
                                         {"about", one.about},
                                         {"text", one.text},
                                         {"remedy", one.remedy}});
    return document;
}

void print_json(const Json& document) {
    print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
}

/// One document of the same shape for several databases; each member of a list says which pool's it is about.
void merge(Json& into, const Json& document, const std::string& pool) {
    for (const auto& [name, value] : document.items()) {
        Json& there = into[name];
        if (value.is_array()) {
            if (there.is_null()) there = Json::array();
            for (Json entry : value) {
                entry["database_of"] = pool;
                there.push_back(std::move(entry));
            }
        } else if (there.is_null()) {
            there = value;
        } else if (value.is_number_integer()) {
            there = there.get<std::int64_t>() + value.get<std::int64_t>();
        } else if (value.is_boolean()) {
            there = there.get<bool>() || value.get<bool>();
        }
    }
}

using Connection = std::optional<postgres::BlockingConnection>;

/// Over `connection`, which is opened if there is none, and given up when it fails.
Try<void> ask_database(Overview& overview, const DatabaseOptions& options, Connection& connection) {
    if (!connection) {
        auto opened = open_database(options, "status");
        if (!opened) return tl::unexpected(opened.error());
        if (auto fits = check_schema(*opened); !fits) return fits;
        connection.emplace(std::move(*opened));
    }
    auto asked = add_database(overview, *connection);
    if (!asked) connection.reset();
    return asked;
}

/// As monitoring plugins do: one line, and 0 well, 1 warning, 2 critical, 3 unknown.
struct Verdict {
    int code = 0;
    std::string line;
};

Verdict check(const Overview& overview, const Try<void>& asked) {
    if (!asked) return {3, "DORMOUSE UNKNOWN - " + escaped(asked.error().message) + "\n"};
    const std::vector<Attention> all = attention(overview);
    std::int64_t due = 0;
    double waits = 0;
    for (const QueueSeen& queue : overview.queues) {
        due += queue.due;
        if (queue.oldest_due_at) waits = std::max(waits, overview.now - *queue.oldest_due_at);
    }
    const bool critical = !all.empty() && all.front().level == Severity::critical;
    std::string line = critical ? "CRITICAL" : all.empty() ? "OK" : "WARNING";
    line += " - ";
    if (all.empty())
        line += std::to_string(overview.pools.size()) + (overview.pools.size() == 1 ? " pool" : " pools") +
                ", nothing needs attention";
    for (const Attention& one : all)
        line += (&one == &all.front() ? "" : "; ") + escaped(one.about) + ": " + escaped(one.text);
    std::replace(line.begin(), line.end(), '|', '/');
    return {critical      ? 2
            : all.empty() ? 0
                          : 1,
            "DORMOUSE " + line + " | due=" + std::to_string(due) +
                " oldest_due=" + std::to_string(static_cast<std::int64_t>(waits)) +
                "s stuck=" + std::to_string(overview.stuck_count) + "\n"};
}

/// What is known without a database, but for pools of another one than `database`.
Overview overview_beside(const DatabaseOptions& database, const std::vector<PoolsDatabase>& all) {
    Overview overview = overview_of_this_machine(config::of_process());
    leave_out_others(overview, database.pool, all);
    return overview;
}

Outcome show(const StatusOptions& options, const std::vector<PoolsDatabase>& databases, Connection& connection) {
    Overview overview = overview_beside(options.database, databases);
    const auto asked = ask_database(overview, options.database, connection);
    if (options.check) {
        const Verdict verdict = check(overview, asked);
        print(verdict.line);
        return static_cast<Exit>(verdict.code);
    }
    if (!asked && !options.json && !overview.pools.empty())
        print_pools(overview, {.with_database = false, .all = options.all, .pool = options.database.pool});
    if (!asked) return tl::unexpected(asked.error());
    const std::vector<Attention> all = attention(overview);
    options.json
        ? print_json(document_of(overview))
        : print_screen(overview, all, {.with_database = true, .all = options.all, .pool = options.database.pool});
    return all.empty() ? Exit::ok : Exit::attention;
}

/// For a monitor: what is worst comes first, and counts.
Outcome check_each(const std::vector<PoolsDatabase>& databases) {
    std::vector<Verdict> verdicts;
    for (const PoolsDatabase& one : databases) {
        const DatabaseOptions database{.url = {}, .pool = one.pools.front()};
        Overview overview = overview_beside(database, databases);
        Connection connection;
        const auto asked = ask_database(overview, database, connection);
        verdicts.push_back(check(overview, asked));
    }
    const auto weight = [](const Verdict& verdict) { return verdict.code == 2 ? 4 : verdict.code; };
    std::stable_sort(verdicts.begin(), verdicts.end(),
                     [&](const Verdict& a, const Verdict& b) { return weight(a) > weight(b); });
    for (const Verdict& verdict : verdicts) print(verdict.line);
    return static_cast<Exit>(verdicts.front().code);
}

/// Of one that cannot be asked the others do not suffer; that counts most.
void keep_worst(Outcome& worst, const Outcome& outcome) {
    if (!outcome) complain(outcome.error().message);
    if (!outcome || (worst && *worst == Exit::ok)) worst = outcome ? outcome : Outcome(outcome.error().exit);
}

Outcome json_of_each(const std::vector<PoolsDatabase>& databases) {
    Outcome worst = Exit::ok;
    Json whole;
    for (const PoolsDatabase& one : databases) {
        const DatabaseOptions database{.url = {}, .pool = one.pools.front()};
        Overview overview = overview_beside(database, databases);
        Connection connection;
        const auto asked = ask_database(overview, database, connection);
        if (asked) merge(whole, document_of(overview), one.pools.front());
        keep_worst(worst, !asked                        ? Outcome(tl::unexpected(asked.error()))
                          : attention(overview).empty() ? Outcome(Exit::ok)
                                                        : Outcome(Exit::attention));
    }
    if (!whole.is_null()) print_json(whole);
    return worst;
}

/// One after the other.
Outcome show_each(const StatusOptions& options, const std::vector<PoolsDatabase>& databases) {
    Outcome worst = Exit::ok;
    for (const PoolsDatabase& one : databases) {
        StatusOptions here = options;
        here.database.pool = one.pools.front();
        const char* const gap = &one == &databases.front() ? "" : "\n";
        print(gap + paint(Colour::bold, title_of(one)) + "\n\n");
        Connection connection;
        keep_worst(worst, show(here, databases, connection));
    }
    return worst;
}

volatile std::sig_atomic_t watched_enough = 0;

/// One session for as long as somebody looks; a database that is away is told, and tried again.
Outcome watch_screen(const StatusOptions& options) {
    constexpr unsigned pause_s = 2;
    if (::isatty(STDOUT_FILENO) != 1)
        return give_up(Exit::usage, "--watch: stdout is not a terminal; omit it, or use --json in a loop");
    struct sigaction action{};
    action.sa_handler = [](int) { watched_enough = 1; };
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);  // the second one ends it at once
    ::sigaction(SIGINT, &action, nullptr);
    Connection connection;
    Outcome last = Exit::ok;
    for (bool first = true; watched_enough == 0; first = false) {
        print("\033[H\033[2J");
        last = show(options, databases_meant(options.database, config::of_process()), connection);
        if (!last && first) return last;
        if (!last) print("\n" + paint(Colour::red, escaped(last.error().message)) + "; tried again\n");
        print(paint(Colour::dim, "\nevery 2 s, until Ctrl-C") + "\n");
        flush_stdout();
        if (watched_enough == 0) ::sleep(pause_s);  // Ctrl-C ends it
    }
    return last;
}

}  // namespace

Outcome status(const StatusOptions& options) {
    if (options.at_rest) return status_at_rest({options.database.pool, options.json});
    if (options.watch) return watch_screen(options);
    const auto databases = databases_meant(options.database, config::of_process());
    if (databases.size() > 1 && options.database.pool.empty())
        return options.check  ? check_each(databases)
               : options.json ? json_of_each(databases)
                              : show_each(options, databases);
    Connection connection;
    return show(options, databases, connection);
}

}  // namespace dormouse::cli
