#include "cli/workers.h"

#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "cli/when.h"
#include "cli/worker_rows.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

Colour colour_of(const std::string& condition) {
    if (condition == "live") return Colour::green;
    if (condition == "dead") return Colour::red;
    return condition == "left" ? Colour::dim : Colour::none;
}

const char* process_text(const Presence& presence) {
    if (presence.alive == Liveness::elsewhere) return "elsewhere";
    return presence.alive == Liveness::yes ? "here" : "gone";
}

Json when_json(std::optional<double> time) {
    return time ? Json(iso(*time)) : Json(nullptr);
}

Json text_json(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

/// What has it, or what it was started for.
std::string purpose(const WorkerRow& worker) {
    if (!worker.run.empty()) return "run " + worker.run + ": " + worker.run_status;
    return worker.unit.empty() ? "foreground" : worker.unit;
}

std::string slots(const WorkerRow& worker) {
    std::string text = std::to_string(worker.runs);
    if (worker.concurrency > 0) text += "/" + std::to_string(worker.concurrency);
    if (worker.concurrency != worker.configured) text += " (scaled, else " + std::to_string(worker.configured) + ")";
    return text;
}

void print_json(const WorkerRow& worker) {
    const Json document{{"id", worker.id},
                        {"pool", worker.pool},
                        {"queues", worker.queues},
                        {"condition", worker.condition},
                        {"evidence", worker.evidence},
                        {"host", worker.mark.host},
                        {"pid", worker.mark.pid},
                        {"process", process_text(worker.presence)},
                        {"unit", text_json(worker.unit)},
                        {"runs", worker.runs},
                        {"lease_until", when_json(worker.lease_until)},
                        {"started_at", iso(worker.started_at)},
                        {"left_at", when_json(worker.left_at)},
                        {"version", worker.version},
                        {"state", worker.state},
                        {"ended", text_json(worker.ended)},
                        {"concurrency", worker.concurrency == 0 ? Json(nullptr) : Json(worker.concurrency)},
                        {"configured", worker.configured == 0 ? Json(nullptr) : Json(worker.configured)},
                        {"seen_at", when_json(worker.seen_at)},
                        {"run", text_json(worker.run)},
                        {"run_status", text_json(worker.run_status)}};
    print(safe_json(document.dump()) + "\n");
}

void print_table(const WorkerRows& workers) {
    Table table(
        {"POOL", "CONDITION", "HOST", "PID", "PROCESS", "UNIT", "RUNS", "VERSION", "SINCE", "SEEN", "BECAUSE", "ID"});
    for (const WorkerRow& worker : workers.rows)
        table.add({{worker.pool},
                   {worker.condition, colour_of(worker.condition)},
                   {worker.mark.host},
                   {std::to_string(worker.mark.pid)},
                   {process_text(worker.presence)},
                   {purpose(worker)},
                   {slots(worker)},
                   {worker.version},
                   {relative(worker.started_at, workers.now)},
                   {worker.seen_at ? relative(*worker.seen_at, workers.now) : ""},
                   {cut(worker.evidence, 120)},
                   {worker.id}});
    print(table.text());
}

}  // namespace

Outcome workers(const WorkersOptions& options) {
    auto connection = open_database(options.database, "workers");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto found = read_workers(*connection, options.all ? Which::all : Which::awake);
    if (!found) return tl::unexpected(found.error());
    if (options.json) {
        for (const WorkerRow& worker : found->rows) print_json(worker);
    } else if (found->rows.empty()) {
        print(options.all ? "no worker has ever registered\n"
                          : "no worker is awake; `dormouse workers --all` shows those that have left\n");
    } else {
        print_table(*found);
    }
    return Exit::ok;
}

}  // namespace dormouse::cli
