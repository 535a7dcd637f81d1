#include "cli/setup_steps.h"

#include "postgres/patience.h"

namespace dormouse::cli {
Try<void> script(Setup& setup, const std::vector<std::string>& statements) {
    for (const std::string& sql : statements)
        if (const Status done = setup.connection->script("setup", sql); !done) {
            postgres::roll_back(*setup.connection);
            Failure failure = from(done.error());
            failure.message += "; the statement was: " + sql;
            return tl::unexpected(std::move(failure));
        }
    return {};
}

tl::unexpected<Failure> may_not(const Setup& setup, const std::string& what, const std::string& attribute) {
    return give_up(Exit::denied, "login " + setup.facts.user + " may not " + what + " (" + attribute +
                                     "); a superuser, or who administers this server, can: dormouse setup as that "
                                     "login, or the commands that dormouse setup --dry-run shows");
}

std::string url_for_pool(const Setup& setup) {
    return pool_url(setup.server, setup.options.login, setup.passfile);
}
}  // namespace dormouse::cli
