#include "cli/local_wake.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "cli/woken_pools.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* local_wake_file = "local_wake.sql";
constexpr const char* begin_statements =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    "SET LOCAL search_path = pg_catalog, pg_temp;"
    "SET LOCAL client_min_messages = error;"
    "SET LOCAL statement_timeout = 0";

Result<LocalWakeReport> in_transaction(postgres::BlockingConnection& connection, const LocalWakeRequest& request,
                                       const std::string& lock_timeout) {
    Json pools = Json::array();
    for (const WokenPool& one : request.install)
        pools.push_back({{"pool", one.pool}, {"path", one.path}, {"queues", one.queues}});
    if (auto done = connection.script(local_wake_file, begin_statements + (";" + lock_timeout)); !done)
        return tl::unexpected(done.error());
    const auto asked = connection.ask(local_wake_file,
                                      "SELECT pg_catalog.set_config('dormouse.local_wake_pools', $1, true),"
                                      " set_config('dormouse.local_wake_remove', $2, true)",
                                      {pools.dump(), request.remove_all ? "null" : Json(request.remove).dump()});
    if (!asked) return tl::unexpected(asked.error());
    if (auto done = connection.script(local_wake_file, std::string(sql::local_wake)); !done)
        return tl::unexpected(done.error());
    const auto report =
        connection.ask(local_wake_file, "SELECT pg_catalog.current_setting('dormouse.local_wake_report')");
    if (!report) return tl::unexpected(report.error());
    if (auto done = connection.script(local_wake_file, "COMMIT"); !done) return tl::unexpected(done.error());
    const Json document = Json::parse(report->text(0, 0), nullptr, false);
    if (!document.is_object())
        return fail(ErrorKind::internal, std::string(local_wake_file) + ": its report cannot be read");
    return LocalWakeReport{document.at("installed"), document.at("removed"), document.at("missing"),
                           document.at("role_stays").is_string() ? document.at("role_stays").get<std::string>() : ""};
}

std::string escaped_list(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) {
        if (!all.empty()) all += ", ";
        all += escaped(text);
    }
    return all;
}

/// What there is besides the pools that were asked for.
struct NotInstalled {
    std::vector<LeftOut> left_out;
    std::vector<std::string> gone;  ///< installed, and no pool of this machine with this database
};

void tell_installed(const std::vector<WokenPool>& pools, const LocalWakeReport& report, const NotInstalled& rest) {
    for (const WokenPool& one : pools)
        print("local wake: pool " + one.pool + ", through " + escaped(one.path) + ", for " + escaped_list(one.queues) +
              "\n");
    for (const LeftOut& one : rest.left_out)
        print("left out: pool " + one.pool + ": " + escaped(one.reason) + " (--pool " + one.pool +
              " takes it all the same)\n");
    for (const std::string& pool : rest.gone)
        print("gone: pool " + escaped(pool) +
              " is woken and is no pool of this machine and database; dormouse migrate --no-local-wake --pool " +
              escaped(pool) + " ends that\n");
    for (const std::string& directory : report.missing)
        print("missing: the server sees no directory " + escaped(directory) +
              "; systemctl enable --now run-dormouse.wake.mount\n");
}

void tell_removed(const LocalWakeReport& report) {
    print(report.removed.empty() ? "nothing to do: there is no local wake\n"
                                 : "local wake is removed: " + escaped_list(report.removed) + "\n");
    if (!report.installed.empty()) print("still there: " + escaped_list(report.installed) + "\n");
    if (!report.role_stays.empty()) print("role dormouse_local_wake stays: " + escaped(report.role_stays) + "\n");
}

void print_report(const std::vector<WokenPool>& pools, const LocalWakeReport& report, const NotInstalled& rest) {
    Json document{{"pools", Json::array()},
                  {"installed", report.installed},
                  {"removed", report.removed},
                  {"left_out", Json::array()},
                  {"gone", rest.gone},
                  {"missing", report.missing},
                  {"role_stays", report.role_stays}};
    for (const WokenPool& one : pools)
        document["pools"].push_back({{"pool", one.pool}, {"path", one.path}, {"queues", one.queues}});
    for (const LeftOut& one : rest.left_out)
        document["left_out"].push_back({{"pool", one.pool}, {"reason", one.reason}});
    print(safe_json(document.dump()) + "\n");
}

Outcome install(postgres::BlockingConnection& connection, const MigrateOptions& options,
                const postgres::Patience& patience) {
    const config::Environment environment = config::of_process();
    auto found = find_woken_pools(connection, environment);
    std::vector<std::string> ours;
    for (const WokenPool& one : found.pools) ours.push_back(one.pool);
    if (!options.database.pool.empty()) {
        auto one = find_woken_pool(options.database.pool, environment);
        if (!one) return tl::unexpected(one.error());
        ours.push_back(one->pool);
        found = {{std::move(*one)}, {}};
    }
    if (found.pools.empty()) {
        std::string reasons;
        for (const LeftOut& one : found.left_out) reasons += "; pool " + one.pool + ": " + one.reason;
        return give_up(Exit::config, "no pool in " + config::directory(environment) + " uses this database" + reasons +
                                         "; name one with --pool POOL");
    }
    const auto report = apply_local_wake(connection, {found.pools, {}}, patience);
    if (!report) return give_up(report.error());
    NotInstalled rest{std::move(found.left_out), {}};
    for (const std::string& pool : report->installed)
        if (std::find(ours.begin(), ours.end(), pool) == ours.end()) rest.gone.push_back(pool);
    if (options.json) {
        print_report(found.pools, *report, rest);
    } else {
        tell_installed(found.pools, *report, rest);
    }
    return Exit::ok;
}

Outcome remove(postgres::BlockingConnection& connection, const MigrateOptions& options,
               const postgres::Patience& patience) {
    LocalWakeRequest request;
    if (options.database.pool.empty()) {
        request.remove_all = true;
    } else {
        request.remove = {options.database.pool};
    }
    const auto report = apply_local_wake(connection, request, patience);
    if (!report) return give_up(report.error());
    if (options.json) {
        print_report({}, *report, {});
    } else {
        tell_removed(*report);
    }
    return Exit::ok;
}

}  // namespace

Result<LocalWakeReport> apply_local_wake(postgres::BlockingConnection& connection, const LocalWakeRequest& request,
                                         const postgres::Patience& patience) {
    LocalWakeReport report;
    const Status done = with_patience(connection, patience, [&](const std::string& lock_timeout) -> Status {
        auto answer = in_transaction(connection, request, lock_timeout);
        if (!answer) return tl::unexpected(answer.error());
        report = std::move(*answer);
        return {};
    });
    if (done) return report;
    Error error = done.error();
    if (error.kind == ErrorKind::denied)
        error.message +=
            "; this needs a superuser of the server, who can make a role that writes server files: dormouse migrate "
            "--local-wake --database-url postgresql://postgres@/DATABASE";
    if (error.kind == ErrorKind::incompatible) error.message += "; run `dormouse migrate` first";
    return tl::unexpected(std::move(error));
}

Outcome local_wake(postgres::BlockingConnection& connection, const MigrateOptions& options,
                   const postgres::Patience& patience) {
    return options.local_wake ? install(connection, options, patience) : remove(connection, options, patience);
}

}  // namespace dormouse::cli
