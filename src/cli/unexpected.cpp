#include "cli/unexpected.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "config/text.h"

namespace dormouse::cli {
namespace {

bool has_option(const CLI::App& command, const std::string& name) {
    return command.get_option_no_throw(name) != nullptr;
}

/// What stands for an option that other commands have.
std::string instead_of(const CLI::App& command, const std::string& given) {
    const bool a_database = given.find("://") != std::string::npos || given == "--url";
    if (a_database && has_option(command, "--database-url")) return "a database is named by --database-url URL";
    if ((given == "--config" || given == "-c" || given == "-f") && has_option(command, "--pool"))
        return "a pool is named by --pool POOL; where its file is not in /etc/dormouse, DORMOUSE_CONFIG_DIR is its "
               "directory";
    if ((given == "-c" || given == "-f") && has_option(command, "--config")) return "did you mean --config?";
    std::vector<std::string> names;
    for (const CLI::Option* const option : command.get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string near = given.starts_with("--") ? config::nearest(given, names) : "";
    return near.empty() ? "" : "did you mean " + near + "?";
}

}  // namespace

std::string say_unexpected(const CLI::App& command, const std::vector<std::string>& given) {
    // CLI11 keeps what it does not know in no order that can be relied on: an option says more than its value
    const auto option =
        std::find_if(given.begin(), given.end(), [](const std::string& one) { return one.starts_with('-'); });
    const std::string& first = option == given.end() ? given.front() : *option;
    const std::string name = first.substr(0, first.starts_with("--") ? first.find('=') : std::string::npos);
    const std::string hint = instead_of(command, name);
    const std::string what =
        first.starts_with('-') ? "has no " + name : "does not expect the argument " + config::quote(first);
    return "`dormouse " + command.get_name() + "` " + what + (hint.empty() ? "" : ": " + hint);
}

}  // namespace dormouse::cli
