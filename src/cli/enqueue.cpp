#include "cli/enqueue.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "cli/enqueue_from.h"
#include "cli/hindrance.h"
#include "cli/payload.h"
#include "cli/rings.h"
#include "cli/run_error.h"
#include "cli/spool.h"
#include "cli/text.h"
#include "cli/wait.h"
#include "cli/when.h"
#include "config/duration.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

using Parameter = std::optional<std::string>;

Try<Parameter> milliseconds(const char* flag, const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto duration = config::parse_duration(text);
    if (!duration) return give_up(Exit::usage, std::string(flag) + ": " + duration.error().message);
    return std::to_string(duration->count());
}

/// Everything that can be wrong without a database is found first.
Try<std::vector<Parameter>> parameters_of(const EnqueueOptions& options, std::int64_t payload_limit) {
    const auto delay = milliseconds("--in", options.in);
    if (!delay) return tl::unexpected(delay.error());
    const auto timeout = milliseconds("--timeout", options.timeout);
    if (!timeout) return tl::unexpected(timeout.error());
    Parameter at;
    if (!options.at.empty()) {
        const auto time = parse_time(options.at);
        if (!time) return give_up(Exit::usage, "--at: " + time.error().message);
        at = std::to_string(*time);
    }
    if (at && *delay) return give_up(Exit::usage, "--in and --at exclude each other: give the delay, or the time");
    auto payload = read_payload(options.payload, payload_limit);
    if (!payload) return tl::unexpected(payload.error());
    const Parameter most = options.max_attempts ? Parameter(std::to_string(*options.max_attempts)) : std::nullopt;
    return std::vector<Parameter>{options.task,
                                  std::move(*payload),
                                  options.queue,
                                  std::to_string(options.priority),
                                  at,
                                  *delay,
                                  unless_empty(options.key),
                                  most,
                                  *timeout,
                                  options.wait ? "true" : "false"};
}

Try<std::string> insert(postgres::BlockingConnection& connection, const std::vector<Parameter>& parameters) {
    const auto reply = connection.ask("enqueue", sql::cli::enqueue, parameters);
    if (reply) return std::string(reply->text(0, 0));
    Failure failure = refusal(connection, reply.error());
    if (failure.exit == Exit::denied)
        failure.message += "; run `dormouse migrate --roles` and GRANT dormouse_producer to this user";
    return tl::unexpected(std::move(failure));
}

void print_json(const EnqueueOptions& options, const std::string& id, const Rings& rings, const Standing* standing) {
    nlohmann::ordered_json missed = nlohmann::ordered_json::array();
    for (const auto& [pool, done] : rings.missed) missed.push_back({{"pool", pool}, {"error", done.error().message}});
    nlohmann::ordered_json document{
        {"id", id}, {"task", options.task}, {"queue", options.queue}, {"rung", rings.rung}, {"not_rung", missed}};
    if (standing != nullptr) {
        document["status"] = standing->status;
        document["attempts"] = standing->attempts;
    }
    // names of tasks and queues that came here are UTF-8: Postgres has taken them
    std::string text = document.dump();
    if (standing != nullptr) {
        // as Postgres wrote them: a number of any size stays what it is
        text.pop_back();
        text += ",\"result\":" + (standing->result.empty() ? "null" : standing->result);
        text += ",\"error\":" + (standing->error.empty() ? "null" : standing->error) + "}";
    }
    print(safe_json(text) + "\n");
}

Outcome outcome_of(postgres::BlockingConnection& connection, const Standing& standing, const EnqueueOptions& options,
                   const std::string& id) {
    if (!options.json && standing.status == "completed")
        print(safe_json(standing.result.empty() ? "null" : standing.result) + "\n");
    if (standing.status == "completed") return Exit::ok;
    const std::string see = "; see `dormouse show " + id + "`";
    if (standing.status == "failed") {
        const std::string why = error_line(standing.error);
        return give_up(Exit::run_failed, "run " + id + " failed" + (why.empty() ? "" : ": " + why) + see);
    }
    if (standing.status == "canceled") return give_up(Exit::run_canceled, "run " + id + " was canceled" + see);
    const std::string how = hindrance_of(connection, {id, options.task, options.queue}, standing).text;
    return give_up(Exit::timeout, "run " + id + " is not finished after " + *options.wait + ": " + how +
                                      "; it continues without this command" + see);
}

/// Tells each reason once.
class Teller {
  public:
    Teller(std::string id, const EnqueueOptions& options) : run_{std::move(id), options.task, options.queue} {}
    void operator()(postgres::BlockingConnection& connection, const Standing& standing) {
        const Hindrance hindrance = hindrance_of(connection, run_, standing);
        if (hindrance.reason.empty() || !told_.insert(hindrance.reason).second) return;
        complain("run " + run_.id + " is not finished yet: " + hindrance.text);
    }

  private:
    AwaitedRun run_;
    std::set<std::string> told_;
};

}  // namespace

Outcome enqueue(const EnqueueOptions& options) {
    const config::Environment environment = config::of_process();
    if (!options.from.empty()) return enqueue_from(options, environment);
    Millis patience{0};
    if (options.wait && !options.wait->empty()) {
        const auto duration = config::parse_duration(*options.wait);
        if (!duration) return give_up(Exit::usage, "--wait: " + duration.error().message);
        patience = *duration;
    }
    if (options.spool) return enqueue_by_spool(options, environment);
    const auto choice = choose_database(options.database, environment, options.queue);
    if (!choice) return tl::unexpected(choice.error());
    const auto parameters = parameters_of(options, choice->limits.payload_bytes);
    if (!parameters) return tl::unexpected(parameters.error());

    auto connection = open_database(*choice, "enqueue");
    if (!connection) {
        Failure failure = std::move(connection.error());
        if (failure.exit == Exit::unreachable && !options.wait)
            failure.message += by_spool_instead(options, environment);
        return tl::unexpected(std::move(failure));
    }
    if (options.wait)
        if (auto listening = listen_for_runs(*connection); !listening) return tl::unexpected(listening.error());
    const auto id = insert(*connection, *parameters);
    if (!id) return tl::unexpected(id.error());
    const Rings rings = ring_pools(options.queue, environment);
    const std::string done = "run " + *id + " is enqueued";
    if (!options.json) {
        print(*id + "\n");
        tell_rings(rings, options.queue, *connection);
    }
    if (options.json && !options.wait) print_json(options, *id, rings, nullptr);
    if (const Outcome told = if_told(Exit::ok, done); !told || !options.wait) return told;
    std::optional<BootClock::time_point> deadline;
    if (!options.wait->empty()) deadline = after(BootClock::now(), patience);
    const auto standing = wait_for_end(*connection, *choice, *id, deadline, Teller(*id, options));
    if (!standing) return tl::unexpected(standing.error());
    if (options.json) print_json(options, *id, rings, &*standing);
    return if_told(outcome_of(*connection, *standing, options, *id), done);
}

}  // namespace dormouse::cli
