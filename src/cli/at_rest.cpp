#include "cli/at_rest.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "cli/attention.h"
#include "cli/text.h"
#include "cli/when.h"
#include "metrics/exposition.h"
#include "metrics/file.h"
#include "metrics/publisher.h"
#include "systemd/due_file.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;
using metrics::Metric;

constexpr Millis bus_patience{2'000};

/// A number that dormouse-due keeps of the pool beside its runtime directory.
std::optional<std::uint64_t> number_kept(const PoolSeen& pool, const char* what) {
    const UniqueFd directory(
        ::open(pool.local->runtime_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
    return directory.valid() ? systemd::read_number(directory.get(), pool.name + "." + what) : std::nullopt;
}

std::string unit_state_of(const PoolSeen& pool) {
    if (!pool.units) return "unknown";
    const std::string& service = pool.units->service;
    if (service == "active") return "awake";
    if (service == "activating") return "starting";
    if (service == "deactivating") return "leaving";
    if (service == "failed" || service == "masked") return service;
    return pool.units->on() ? "asleep" : "off";
}

LastMetrics metrics_of(const config::LocalPool& pool) {
    LastMetrics last;
    if (!pool.problem.empty()) {
        last.problem = pool.problem;
        return last;
    }
    if (!pool.metrics.wanted()) {
        last.problem = "no metrics are kept (metrics.textfile, metrics.listen)";
        return last;
    }
    last.file = pool.metrics.textfile.empty() ? "/var/lib/dormouse/" + pool.name + "/metrics.prom"
                                              : metrics::textfile_of(pool.metrics.textfile, pool.name);
    const auto text = metrics::read_file(last.file);
    const auto read = !text           ? tl::unexpected(text.error())
                      : text->empty() ? fail(ErrorKind::invalid, "no worker has written it yet")
                                      : metrics::read_exposition(*text, pool.name);
    if (!read) {
        last.problem = last.file + ": " + read.error().message;
        return last;
    }
    last.written_at = metrics::read_gauge(*text, Metric::snapshot_time).value_or(0);
    if (const auto awake = metrics::read_gauge(*text, Metric::awake)) last.left = *awake == 0;
    last.next_due = metrics::read_gauge(*text, Metric::next_due);
    std::map<std::string, TaskTotals> totals;
    const auto take = [&](Metric metric, std::int64_t TaskTotals::* into) {
        for (const auto& [task, count] : read->values(metric)) totals[task].*into = static_cast<std::int64_t>(count);
    };
    take(Metric::runs_completed, &TaskTotals::completed);
    take(Metric::runs_failed, &TaskTotals::failed);
    take(Metric::runs_canceled, &TaskTotals::canceled);
    take(Metric::runs_retried, &TaskTotals::retried);
    for (auto& [task, counted] : totals) {
        counted.task = task;
        last.totals.push_back(std::move(counted));
    }
    return last;
}

std::string end_text(const PoolAtRest& pool) {
    if (pool.state == "awake" || (pool.state == "starting" && pool.failures == 0)) return "";
    if (!pool.ended.empty()) return pool.ended;  // with how often in a row
    if (pool.failures > 0)
        return std::string("badly") + (pool.failures > 1 ? " (" + std::to_string(pool.failures) + " in a row)" : "");
    if (pool.unit && pool.unit->since && pool.unit->result == "success") return "cleanly";
    return pool.unit && pool.unit->since ? pool.unit->result : "unknown";
}

std::string doorbells_text(const PoolSeen& pool) {
    if (!pool.units) return pool.listening ? "listens" : "nobody listens";
    std::string text = pool.units->socket == "active" && pool.listening ? "armed" : "not armed";
    if (pool.units->path != "active") text += ", spool and wake file not watched";
    return text;
}

std::optional<double> known_due(const PoolAtRest& pool) {
    if (pool.unit && pool.unit->fires_at) return pool.unit->fires_at;
    return pool.state == "unknown" && pool.metrics.left.value_or(false) ? pool.metrics.next_due : std::nullopt;
}

struct KnownPool {
    const PoolSeen* pool = nullptr;
    PoolAtRest rest;
};

Json at_rest_json(const KnownPool& known, double now) {
    const PoolAtRest& rest = known.rest;
    const auto time = [](std::optional<double> at) { return at ? Json(iso(*at)) : Json(nullptr); };
    const auto text = [](const std::string& one) { return one.empty() ? Json(nullptr) : Json(one); };
    Json totals = Json::array();
    for (const TaskTotals& one : rest.metrics.totals)
        totals.push_back({{"task", one.task},
                          {"completed", one.completed},
                          {"failed", one.failed},
                          {"canceled", one.canceled},
                          {"retried", one.retried}});
    const bool counted = rest.metrics.problem.empty();
    return {{"pool", known.pool->name},
            {"state", rest.state},
            {"since", time(rest.unit ? rest.unit->since : std::nullopt)},
            {"ended", text(end_text(rest))},
            {"result", text(rest.unit ? rest.unit->result : "")},
            {"failures_in_a_row", rest.failures},
            {"due", due_text(rest, now)},
            {"due_at", time(known_due(rest))},
            {"listening", known.pool->listening},
            {"socket", known.pool->units ? text(known.pool->units->socket) : Json(nullptr)},
            {"path", known.pool->units ? text(known.pool->units->path) : Json(nullptr)},
            {"metrics",
             {{"file", text(rest.metrics.file)},
              {"problem", text(rest.metrics.problem)},
              {"written_at", counted ? time(rest.metrics.written_at) : Json(nullptr)},
              {"totals", totals}}}};
}

void print_at_rest(const std::vector<KnownPool>& all, double now) {
    Table pools({"POOL", "STATE", "SINCE", "ITS WORKER ENDED", "DUE NEXT", "DOORBELL"});
    Table totals({"POOL", "TASK", "COMPLETED", "FAILED", "CANCELED", "RETRIED", "COUNTED UNTIL"});
    std::string missing;
    for (const auto& [pool, rest] : all) {
        const bool bad = rest.state == "failed" || rest.state == "masked" || rest.state == "off";
        pools.add({{pool->name},
                   {rest.state, bad ? Colour::red : Colour::none},
                   {rest.unit && rest.unit->since ? relative(*rest.unit->since, now) : ""},
                   {cut(end_text(rest), 60)},
                   {due_text(rest, now)},
                   {doorbells_text(*pool)}});
        if (!rest.metrics.problem.empty())
            missing += "pool " + pool->name + ": " + escaped(rest.metrics.problem) + "\n";
        for (const TaskTotals& one : rest.metrics.totals)
            totals.add({{pool->name},
                        {cut(one.task, 40)},
                        {std::to_string(one.completed)},
                        {std::to_string(one.failed)},
                        {std::to_string(one.canceled)},
                        {std::to_string(one.retried)},
                        {relative(rest.metrics.written_at, now)}});
    }
    print(pools.text());
    if (!totals.empty()) print("\n" + totals.text());
    if (!missing.empty()) print("\nnot counted\n" + missing);
}

bool needs_attention(const KnownPool& known) {
    const auto armed = [](const std::string& state) { return state == "active" || state == "activating"; };
    return known.rest.failures > 0 || known.rest.state == "failed" || known.rest.state == "masked" ||
           known.rest.state == "off" || !known.pool->local->problem.empty() ||
           (known.pool->units && (!armed(known.pool->units->socket) || !armed(known.pool->units->path)));
}

}  // namespace

PoolAtRest pool_at_rest(const PoolSeen& pool, const std::optional<systemd::UnitAtRest>& unit) {
    PoolAtRest rest;
    rest.state = unit_state_of(pool);
    rest.unit = unit;
    rest.failures = static_cast<std::int64_t>(number_kept(pool, "failures").value_or(0));
    if (rest.failures > 0)
        if (const auto text = metrics::read_file(pool.local->runtime_directory + "/" + pool.name + ".ended"))
            rest.ended = *text;
    rest.metrics = metrics_of(*pool.local);
    return rest;
}

std::string due_text(const PoolAtRest& pool, double now) {
    if (pool.state == "awake" || pool.state == "starting" || pool.state == "leaving") return "its worker knows";
    if (pool.state == "off") return "its runs wait until it is switched on";
    if (const auto at = known_due(pool))
        return std::isinf(*at) ? "nothing"
                               : relative(*at, now) + (pool.failures > 0 ? " (a look, not a due time)" : "");
    const bool clean = pool.unit && pool.unit->since && pool.unit->result == "success" && pool.failures == 0;
    return clean && pool.state == "asleep" ? "nothing" : "not known";
}

Outcome status_at_rest(const AtRestOptions& options) {
    const Overview overview = overview_of_this_machine(config::of_process());
    std::vector<KnownPool> all;
    std::map<std::string, std::optional<std::uint64_t>> of_systemd;
    for (const PoolSeen& pool : overview.pools) {
        if (!options.pool.empty() && pool.name != options.pool) continue;
        all.push_back({&pool, {}});
        if (pool.units) of_systemd.emplace(pool.name, number_kept(pool, "timer"));
    }
    if (all.empty() && !options.pool.empty())
        return give_up(Exit::config, "this machine has no pool " + options.pool +
                                         "; `dormouse status --at-rest` shows those that it has");
    std::map<std::string, systemd::UnitAtRest> units;
    std::string trouble = overview.units_trouble;
    if (!of_systemd.empty()) {
        auto asked = systemd::at_rest(of_systemd, bus_patience);
        if (asked) units = std::move(*asked);
        if (!asked) trouble = asked.error().message;
    }
    bool attention = !trouble.empty();
    for (KnownPool& known : all) {
        const auto unit = units.find(known.pool->name);
        known.rest = pool_at_rest(*known.pool, unit == units.end() ? std::nullopt : std::optional(unit->second));
        attention = attention || needs_attention(known);
    }
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    if (options.json) {
        Json document{{"now", iso(now)}, {"trouble", trouble.empty() ? Json(nullptr) : Json(trouble)}};
        document["pools"] = Json::array();
        for (const KnownPool& known : all) document["pools"].push_back(at_rest_json(known, now));
        print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
        return attention ? Exit::attention : Exit::ok;
    }
    if (all.empty()) print("no pool is configured on this machine\n");
    if (!all.empty()) print_at_rest(all, now);
    if (!trouble.empty()) print("\n" + escaped(trouble) + "\n");
    return attention ? Exit::attention : Exit::ok;
}

}  // namespace dormouse::cli
