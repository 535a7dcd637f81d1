#include "cli/follow.h"

#include <array>
#include <cmath>
#include <ctime>

#include "cli/wait.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

/// Where the telling has come to.
struct LogPosition {
    int attempt = 0;
    int line = 0;
};

Try<void> tell_from(postgres::BlockingConnection& connection, const std::string& id, std::optional<int> attempt,
                    LogPosition& place, const Audience& audience) {
    const auto only = attempt ? std::optional(std::to_string(*attempt)) : std::nullopt;
    const auto reply =
        connection.ask("log", sql::cli::lines, {id, std::to_string(place.attempt), std::to_string(place.line), only});
    if (!reply) return give_up(reply.error());
    for (int row = 0; row < reply->rows(); ++row) {
        LogLine line{static_cast<int>(reply->integer(row, 0)),
                     static_cast<int>(reply->integer(row, 1)),
                     reply->real(row, 2),
                     std::string(reply->text(row, 3)),
                     std::string(reply->text(row, 4)),
                     std::string(reply->text(row, 5))};
        place = {line.attempt, line.line};
        audience.on_line(line);
    }
    return {};
}

Try<RunNow> ask_run(postgres::BlockingConnection& connection, const std::string& id) {
    const auto reply = connection.ask("run", sql::cli::run_now, {id});
    if (!reply) return give_up(reply.error());
    if (reply->rows() == 0) return give_up(Exit::not_found, "run " + id + ": it is gone");
    return RunNow{std::string(reply->text(0, 0)),
                  std::string(reply->text(0, 1)),
                  static_cast<int>(reply->integer(0, 2)),
                  reply->optional_real(0, 3),
                  std::string(reply->text(0, 4)),
                  reply->real(0, 5),
                  reply->real(0, 6),
                  std::string(reply->text(0, 7)),
                  std::string(reply->text(0, 8))};
}

/// LISTEN, then mark, then look: from then on nothing is missed. Who may not mark a run, since that locks it, looks.
Try<void> listen(postgres::BlockingConnection& connection, const std::string& id, std::string& name) {
    if (const Status done = connection.listen({"done", "news"}); !done) return give_up(done.error());
    const auto marked = connection.ask("watch", sql::cli::watch, {id});
    if (!marked && marked.error().kind != ErrorKind::denied) return give_up(marked.error());
    if (!marked) connection.look_each_second();
    auto told = told_as(connection, id);
    if (!told) return tl::unexpected(told.error());
    name = std::move(*told);
    return {};
}

/// What stands in the database now. The state is asked for first: whoever sees the end then sees all lines.
Try<RunNow> tell(postgres::BlockingConnection& connection, const std::string& id, std::optional<int> attempt,
                 LogPosition& place, const Audience& audience) {
    auto run = ask_run(connection, id);
    if (!run) return run;
    const bool under_way = run->status == "running";
    if (under_way) audience.on_run(*run);
    if (auto told = tell_from(connection, id, attempt, place, audience); !told) return tl::unexpected(told.error());
    if (!under_way) audience.on_run(*run);
    audience.on_caught_up();
    return run;
}

/// Until something is said about this run, or it is time to look again.
Try<void> wait_for_news(postgres::BlockingConnection& connection, const std::string& name) {
    while (true) {
        const auto heard = connection.wait(std::nullopt);
        if (!heard) return give_up(Exit::unreachable, heard.error().message);
        if (!*heard || (*heard)->payload == name) return {};
    }
}

}  // namespace

Try<void> tell_lines(postgres::BlockingConnection& connection, const std::string& id, std::optional<int> attempt,
                     const Audience& audience) {
    LogPosition place;
    return tell_from(connection, id, attempt, place, audience);
}

Try<RunNow> follow(postgres::BlockingConnection& connection, const DatabaseChoice& choice, const std::string& command,
                   const std::string& id, std::optional<int> attempt, const Audience& audience) {
    LogPosition place;
    std::string name;
    auto prepared = listen(connection, id, name);
    while (true) {
        if (prepared) {
            auto run = tell(connection, id, attempt, place, audience);
            if (run && run->finished()) return run;
            if (run) {
                prepared = wait_for_news(connection, name);
            } else {
                prepared = tl::unexpected(run.error());
            }
        }
        if (prepared) continue;
        if (prepared.error().exit != Exit::unreachable) return tl::unexpected(prepared.error());
        audience.on_trouble(prepared.error().message);
        auto fresh = connect_again(choice, command, std::nullopt,
                                   [&](postgres::BlockingConnection& made) { return listen(made, id, name); });
        if (!fresh) return tl::unexpected(fresh.error());
        connection = std::move(*fresh);
        audience.on_trouble("");
        prepared = {};
    }
}

std::string moment(double time) {
    const auto milliseconds = static_cast<std::int64_t>(std::floor(time * 1000));
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    const std::string fraction = std::to_string(1000 + milliseconds % 1000);
    return std::string(text.data()) + "." + fraction.substr(1);
}

}  // namespace dormouse::cli
