#include "cli/show.h"

#include <algorithm>

#include "cli/find_run.h"
#include "cli/run_error.h"
#include "cli/text.h"
#include "cli/when.h"
#include "config/size.h"
#include "sql/embedded.h"

namespace dormouse::cli {

namespace {

constexpr std::size_t most_characters = 4'000;

void line(std::string_view name, std::string_view value, Colour colour = Colour::none) {
    if (value.empty()) return;
    std::string label(name);
    label.resize(12, ' ');
    print(paint(Colour::dim, label) + paint(colour, cut(value, most_characters)) + "\n");
}

void time_line(std::string_view name, const postgres::Reply& reply, int column) {
    if (reply.is_null(0, column)) return;
    const double time = reply.real(0, column);
    line(name, absolute(time) + " (" + relative(time, reply.real(0, 12)) + ")");
}

/// A handler's last words have several lines; each is made harmless, and stays a line.
void several_lines(std::string_view name, std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        line(name, end == 0 ? " " : text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        name = "";
    }
}

void json_line(std::string_view name, std::string_view value) {
    if (width(value) <= most_characters) return line(name, value);
    line(name, value);
    line(" ", "(" + config::size_text(static_cast<std::int64_t>(value.size())) + "; --json shows all of it)");
}

std::string percent(double progress) {
    return std::to_string(static_cast<int>(progress * 100 + 1e-4)) + " %";
}

/// Those that were handed back, snoozed or cut off are begun and used up none.
std::string attempts_text(const postgres::Reply& reply, int begun) {
    std::string text(reply.text(0, 5));
    if (!reply.is_null(0, 6)) text += " of " + std::string(reply.text(0, 6));
    if (begun > reply.integer(0, 5)) text += " used up, " + std::to_string(begun) + " begun";
    return text;
}

void print_run(const postgres::Reply& reply, int begun) {
    line("run", reply.text(0, 0), Colour::bold);
    line("task", reply.text(0, 1));
    line("queue", reply.text(0, 2));
    line("status", reply.text(0, 3), colour_of_status(reply.text(0, 3)));
    line("priority", reply.text(0, 4));
    line("attempts", attempts_text(reply, begun));
    time_line("created", reply, 7);
    time_line("due", reply, 8);
    time_line("started", reply, 9);
    time_line("finished", reply, 10);
    time_line("archived", reply, 24);
    time_line("lease until", reply, 11);
    if (!reply.is_null(0, 13)) line("timeout", length(reply.real(0, 13) / 1000));
    line("worker", reply.text(0, 14));
    line("key", reply.text(0, 15));
    line("trace", reply.text(0, 16));
    if (!reply.is_null(0, 17)) line("progress", percent(reply.real(0, 17)));
    line("doing", reply.text(0, 18));
    json_line("payload", reply.text(0, 19));
    json_line("result", reply.text(0, 20));
    const std::string error_class = reply.is_null(0, 21) ? "" : std::string(reply.text(0, 21)) + ": ";
    several_lines("error", error_class + std::string(reply.text(0, 22)));
}

void print_attempts(const postgres::Reply& reply, double now) {
    Table table({"ATTEMPT", "OUTCOME", "STARTED", "TOOK", "ENDED BY", "CPU", "MEMORY", "PROGRESS", "WORKER", "NOTE"});
    for (int row = 0; row < reply.rows(); ++row) {
        std::string ended_by;
        if (!reply.is_null(row, 4)) ended_by = "exit " + std::string(reply.text(row, 4));
        if (!reply.is_null(row, 5)) ended_by = "signal " + std::string(reply.text(row, 5));
        if (reply.text(row, 10) == "out_of_memory") ended_by += ended_by.empty() ? "out of memory" : ", out of memory";
        table.add({{std::string(reply.text(row, 0))},
                   {std::string(reply.text(row, 1)), colour_of_status(reply.text(row, 1))},
                   {relative(reply.real(row, 2), now)},
                   {reply.is_null(row, 3) ? "" : length(reply.real(row, 3))},
                   {ended_by},
                   {reply.is_null(row, 6) ? "" : length(reply.real(row, 6) / 1000)},
                   {reply.is_null(row, 7) ? "" : config::size_text(reply.integer(row, 7))},
                   {reply.is_null(row, 11) ? "" : percent(reply.real(row, 11))},
                   {std::string(reply.text(row, 8).substr(0, 8))},
                   {cut(error_line(reply.text(row, 9)), 60)}});
    }
    if (!table.empty()) print("\n" + table.text());
}

}  // namespace

Outcome show(const ShowOptions& options) {
    if (auto range = ids_from(options.run); !range) return tl::unexpected(range.error());
    auto connection = open_database(options.database, "show");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto found = find_run(*connection, options.run);
    if (!found) return tl::unexpected(found.error());
    const std::string& id = found->id;
    const auto reply = connection->ask("show", sql::cli::show, {id});
    if (!reply) return give_up(reply.error());
    if (reply->rows() == 0) return give_up(Exit::not_found, "run " + id + ": it has just been removed");
    if (options.json) {
        print(safe_json(reply->text(0, 23)) + "\n");
        return Exit::ok;
    }
    const auto attempts = connection->ask("show", sql::cli::attempts, {id});
    if (!attempts) return give_up(attempts.error());
    print_run(*reply, attempts->rows());
    print_attempts(*attempts, reply->real(0, 12));
    return Exit::ok;
}

}  // namespace dormouse::cli
