#include "cli/logs.h"

#include "cli/find_run.h"
#include "cli/follow.h"
#include "cli/text.h"

namespace dormouse::cli {

namespace {

void print_line(const LogLine& line, bool json) {
    if (json) return print(safe_json(line.json) + "\n");
    const Colour colour = line.level == "error"     ? Colour::red
                          : line.level == "warning" ? Colour::yellow
                          : line.level == "debug"   ? Colour::dim
                                                    : Colour::none;
    print(paint(Colour::dim, moment(line.said_at) + " " + std::to_string(line.attempt)) + " " +
          paint(colour, (line.level == "info" ? "" : escaped(line.level) + ": ") + escaped(line.text)) + "\n");
}

}  // namespace

Outcome logs(const LogsOptions& options) {
    if (auto range = ids_from(options.run); !range) return tl::unexpected(range.error());
    const auto choice = choose_database(options.database, config::of_process());
    if (!choice) return tl::unexpected(choice.error());
    auto connection = open_database(*choice, "logs");
    if (!connection) return tl::unexpected(connection.error());
    if (auto fits = check_schema(*connection); !fits) return tl::unexpected(fits.error());
    const auto found = find_run(*connection, options.run);
    if (!found) return tl::unexpected(found.error());
    const Audience audience{
        [](const RunNow&) {},
        [&](const LogLine& line) { print_line(line, options.json); },
        [] { flush_stdout(); },
        [](const std::string& trouble) {
            complain(trouble.empty() ? "the database is back" : trouble + "; trying again");
        },
    };
    if (!options.follow) {
        if (auto told = tell_lines(*connection, found->id, options.attempt, audience); !told)
            return tl::unexpected(told.error());
        return Exit::ok;
    }
    const auto end = follow(*connection, *choice, "logs", found->id, options.attempt, audience);
    if (!end) return tl::unexpected(end.error());
    return Exit::ok;
}

}  // namespace dormouse::cli
