#include "cli/wait.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/deadline.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

/// Whoever is awake or has been rung takes a run sooner.
constexpr Millis time_to_take{3'000};
/// A handler that says much makes much news.
constexpr Millis least_between_looks{1'000};

std::optional<BootClock::time_point> earlier(std::optional<BootClock::time_point> one,
                                             std::optional<BootClock::time_point> other) {
    return !one ? other : !other ? one : std::min(*one, *other);
}

bool passed(std::optional<BootClock::time_point> deadline) {
    return deadline && BootClock::now() >= *deadline;
}

}  // namespace

Try<postgres::BlockingConnection> connect_again(
    const DatabaseChoice& choice, const std::string& command, std::optional<BootClock::time_point> deadline,
    const std::function<Try<void>(postgres::BlockingConnection&)>& prepare) {
    for (Millis pause{500};; pause = std::min(pause * 2, Millis{30'000})) {
        auto connection = open_database(choice, command);
        if (connection) {
            auto prepared = prepare(*connection);
            if (prepared) return connection;
            if (prepared.error().exit != Exit::unreachable) return tl::unexpected(prepared.error());
        } else if (connection.error().exit != Exit::unreachable || passed(deadline)) {
            return connection;
        }
        BootClock::time_point until = BootClock::now() + pause;
        if (deadline) until = std::min(until, *deadline);
        std::this_thread::sleep_for(until - BootClock::now());
    }
}

Try<Standing> standing_of(postgres::BlockingConnection& connection, const std::string& id) {
    const auto reply = connection.ask("result", sql::cli::result, {id});
    if (!reply) return give_up(reply.error());
    if (reply->rows() == 0) return give_up(Exit::not_found, "run " + id + ": it is gone");
    return Standing{std::string(reply->text(0, 0)), std::string(reply->text(0, 1)), std::string(reply->text(0, 2)),
                    static_cast<int>(reply->integer(0, 3))};
}

Try<void> listen_for_runs(postgres::BlockingConnection& connection) {
    if (const Status done = connection.listen({"done", "news"}); !done) return give_up(done.error());
    return {};
}

Try<std::string> told_as(postgres::BlockingConnection& connection, const std::string& id) {
    const auto reply = connection.ask("run", sql::cli::told_as, {id});
    if (!reply) return give_up(reply.error());
    return std::string(reply->text(0, 0));
}

Try<Standing> wait_for_end(postgres::BlockingConnection& connection, const DatabaseChoice& choice,
                           const std::string& id, std::optional<BootClock::time_point> deadline,
                           const OnWaiting& on_waiting) {
    // with a key the run may be an old one, which ended before we listened
    auto standing = standing_of(connection, id);
    std::string name;  // until it is known each end is a reason to look
    std::optional<BootClock::time_point> look = after(BootClock::now(), time_to_take);
    BootClock::time_point looked{};
    while (!standing || !standing->finished()) {
        if (!standing && standing.error().exit != Exit::unreachable) return standing;
        if (standing && name.empty()) name = told_as(connection, id).value_or("");
        const auto heard = standing ? connection.wait(earlier(deadline, look)) : fail(ErrorKind::disconnected, "");
        if (heard && !*heard && passed(deadline)) return standing_of(connection, id);
        if (heard && *heard && !name.empty() && (*heard)->payload != name) continue;
        if (heard && *heard && (*heard)->topic == "news" && !passed(after(looked, least_between_looks))) {
            look = earlier(look, after(looked, least_between_looks));
            continue;
        }
        if (!heard) {
            auto fresh = connect_again(choice, "enqueue", deadline, listen_for_runs);
            if (!fresh) return tl::unexpected(fresh.error());
            connection = std::move(*fresh);
        }
        looked = BootClock::now();
        if (passed(look)) look.reset();
        standing = standing_of(connection, id);
        if (standing && !standing->finished() && (!look || !standing->error.empty())) on_waiting(connection, *standing);
    }
    return standing;
}

}  // namespace dormouse::cli
