#include "cli/dev.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "config/duration.h"
#include "config/redact.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;

/// Installed, PREFIX/bin/dormouse has PREFIX/lib/dormouse/NAME; in a build directory of a checkout the helpers are
/// beside it.
fs::path helper(const fs::path& self, const char* name) {
    std::error_code ignored;
    for (const fs::path& place : {self.parent_path().parent_path() / "lib/dormouse" / name, self.parent_path() / name})
        if (fs::exists(place, ignored)) return place;
    return {};
}

}  // namespace

Outcome dev(const DevOptions& options) {
    if (!options.idle_exit.empty())
        if (const auto duration = config::parse_duration(options.idle_exit); !duration)
            return give_up(Exit::usage, "--idle-exit: " + duration.error().message);
    if (config::has_password(options.database_url))
        return give_up(
            Exit::usage,
            "--database-url: a password on the command line can be seen in ps; use a passfile or a service file");
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    const fs::path script = helper(self, "dormouse-dev");
    const fs::path due = helper(self, "dormouse-due");
    if (script.empty() || due.empty())
        return give_up(Exit::config, "dormouse-dev and dormouse-due are not where they are installed, in " +
                                         (self.parent_path().parent_path() / "lib/dormouse").string());
    std::vector<std::string> arguments{script.string(),
                                       self.string(),
                                       due.string(),
                                       options.config,
                                       options.database_url,
                                       options.idle_exit,
                                       options.foreground ? "yes" : ""};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(script.c_str(), argv.data());
    return give_up(Exit::internal, from_errno(errno, script.string()).message);
}

}  // namespace dormouse::cli
