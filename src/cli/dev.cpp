#include "cli/dev.h"

#include "cli/become.h"
#include "config/duration.h"
#include "config/redact.h"

namespace dormouse::cli {

Outcome dev(const DevOptions& options) {
    if (!options.idle_exit.empty())
        if (const auto duration = config::parse_duration(options.idle_exit); !duration)
            return give_up(Exit::usage, "--idle-exit: " + duration.error().message);
    if (config::has_password(options.database_url))
        return give_up(
            Exit::usage,
            "--database-url: a password on the command line can be seen in ps; use a passfile or a service file");
    const auto script = helper("dormouse-dev");
    if (!script) return tl::unexpected(script.error());
    const auto due = helper("dormouse-due");
    if (!due) return tl::unexpected(due.error());
    return become(*script, {own_path(), *due, options.config, options.database_url, options.idle_exit,
                            options.foreground ? "yes" : ""});
}

}  // namespace dormouse::cli
