#include "cli/reap.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "base/deadline.h"
#include "base/process.h"
#include "cli/end_process.h"
#include "cli/rings.h"
#include "cli/suspects.h"
#include "cli/text.h"
#include "handlers/survivors.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr Millis reap_patience{10'000};
constexpr Millis survivors_patience{2'000};
/// The server notices that a client is gone when it reads from it or, at work, each `client_connection_check_interval`.
constexpr Millis session_patience{10'000};
constexpr Millis session_pause{100};

struct Reaped {
    bool ended = false;  ///< a process of it was ended by us
    handlers::Survivors leftovers{};
    std::int64_t released = 0;
    std::string trouble;
    Exit exit = Exit::ok;
};

Reaped failed(const Error& error) {
    Failure failure = from(error);
    Reaped reaped;
    reaped.trouble = std::move(failure.message);
    reaped.exit = failure.exit;
    return reaped;
}

Reaped reap_one(const Suspect& suspect, postgres::BlockingConnection& connection) {
    Reaped reaped;
    if (suspect.pid != 0) {
        const auto ended = end_process(suspect.pid, suspect.row.mark.start, reap_patience);
        if (!ended) return failed(ended.error());
        reaped.ended = *ended;
    }
    // what nobody sees from here may live
    if (!suspect.row.presence.unseen && !suspect.row.id.empty())
        reaped.leftovers = handlers::end_survivors({suspect.row.id}, survivors_patience);
    const ProcessMark& mark = suspect.row.mark;
    const auto release = [&] {
        return connection.ask("reap", sql::cli::release_worker,
                              {suspect.row.id, mark.host, std::to_string(mark.pid), std::to_string(mark.start),
                               mark.boot_id, suspect.row.presence.unseen ? "true" : "false"});
    };
    auto reply = release();
    const auto until = after(BootClock::now(), session_patience);
    while (reply && !reply->is_null(0, 2) && BootClock::now() < until) {
        std::this_thread::sleep_for(session_pause);
        reply = release();
    }
    if (!reply) return failed(reply.error());
    if (!reply->is_null(0, 2)) {
        reaped.trouble =
            "its process is gone, but its session is not (dormouse.worker_registry.session_pid), so nothing was "
            "released; try again, or SELECT pg_terminate_backend(session_pid)";
        reaped.exit = Exit::unreachable;
        return reaped;
    }
    if (reply->is_null(0, 0)) {
        reaped.trouble = "it has changed meanwhile and was left alone; check again";
        reaped.exit = Exit::unreachable;
        return reaped;
    }
    reaped.released = reply->integer(0, 0);
    if (const std::int64_t locked = reply->integer(0, 1); locked > 0) {
        reaped.trouble = std::to_string(locked) + " of its runs are locked; try again";
        reaped.exit = Exit::unreachable;
    }
    return reaped;
}

Json json_of(const Suspect& suspect) {
    const auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); };
    return {{"kind", to_string(suspect.kind)}, {"id", text(suspect.row.id)},     {"pool", text(suspect.row.pool)},
            {"pid", suspect.row.mark.pid},     {"unit", text(suspect.row.unit)}, {"process", suspect.pid != 0},
            {"runs", suspect.row.runs},        {"reason", suspect.reason}};
}

void print_table(const std::vector<Suspect>& suspects) {
    if (suspects.empty()) return print("no worker of this host\n");
    Table table({"KIND", "POOL", "PID", "RUNS", "WHY"});
    for (const Suspect& suspect : suspects)
        table.add({{to_string(suspect.kind), suspect.kind == SuspectKind::stale ? Colour::yellow : Colour::none},
                   {suspect.row.pool},
                   {std::to_string(suspect.row.mark.pid)},
                   {std::to_string(suspect.row.runs)},
                   {cut(suspect.reason, 120)}});
    print(table.text());
}

void tell(const Suspect& suspect, const Reaped& reaped) {
    std::string text = "pool " + suspect.row.pool + ", process " + std::to_string(suspect.row.mark.pid) + ": ";
    if (!reaped.trouble.empty()) return complain(text + reaped.trouble);
    if (reaped.ended) text += "ended, ";
    if (reaped.leftovers.ended > 0)
        text += "killed " + std::to_string(reaped.leftovers.ended) + " left behind by its handlers, ";
    if (reaped.leftovers.left > 0)
        complain(text + std::to_string(reaped.leftovers.left) +
                 " processes left behind by its handlers cannot be ended from here; see `ps`: DORMOUSE_FENCE in their "
                 "environment ends with " +
                 suspect.row.id);
    text += std::to_string(reaped.released) + (reaped.released == 1 ? " run" : " runs") + " released, marked as left";
    print(escaped(text) + "\n");
}

}  // namespace

Outcome reap(const ReapOptions& options) {
    auto connection = open_database(options.database, "reap");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto workers = read_workers(*connection, Which::of_this_host);
    if (!workers) return tl::unexpected(workers.error());
    const std::vector<Suspect> suspects = suspects_of(*workers);
    if (!options.json) print_table(suspects);
    Json told = Json::array();
    std::int64_t stale = 0;
    Exit worst = Exit::ok;
    for (const Suspect& suspect : suspects) {
        Json document = json_of(suspect);
        if (suspect.kind == SuspectKind::stale) ++stale;
        if (suspect.kind == SuspectKind::stale && options.force) {
            const Reaped reaped = reap_one(suspect, *connection);
            document.update({{"ended", reaped.ended},
                             {"leftovers", reaped.leftovers.ended},
                             {"released", reaped.released},
                             {"trouble", reaped.trouble}});
            if (!options.json) tell(suspect, reaped);
            if (worst == Exit::ok) worst = reaped.exit;
            if (reaped.released > 0)
                for (const std::string& queue : suspect.row.queues) ring_pools(queue, config::of_process());
        }
        told.push_back(std::move(document));
    }
    if (options.json)
        print(safe_json(Json{{"host", this_host()}, {"force", options.force}, {"workers", told}}.dump()) + "\n");
    else if (stale > 0 && !options.force)
        print("nothing was changed; `dormouse reap --force` kills stale workers and releases their runs\n");
    return worst;
}

}  // namespace dormouse::cli
