#include "cli/alert.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "alerts/program.h"
#include "cli/pool_of.h"
#include "config/load.h"

namespace dormouse::cli {

Outcome alert(const AlertOptions& options) {
    if (!options.test) return give_up(Exit::usage, "alert: what? --test sends one message on every way");
    const auto pool = pool_of("alert", options.pool, options.file.has_value(), config::of_process());
    if (!pool) return tl::unexpected(pool.error());
    std::vector<std::string> arguments{alerts::find_program(), "--test", *pool};
    if (options.file) arguments.insert(arguments.end(), {"--config", *options.file});
    if (options.json) arguments.emplace_back("--json");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv.front(), argv.data());
    return give_up(Exit::internal, from_errno(errno, arguments.front()).message);
}

}  // namespace dormouse::cli
