#include <libpq-fe.h>

#include <array>
#include <memory>

#include "cli/account.h"
#include "cli/setup_files.h"
#include "cli/setup_steps.h"

namespace dormouse::cli {
namespace {

using RunLines = std::vector<std::string>;

constexpr const char* any_host = "localhost";

std::string part(const Setup& setup, const char* key, const char* otherwise) {
    const auto found = setup.server.parts.find(key);
    return found == setup.server.parts.end() ? otherwise : found->second;
}
PassEntry pass_entry(const Setup& setup) {
    return {part(setup, "host", part(setup, "hostaddr", any_host).c_str()), part(setup, "port", "5432"),
            setup.options.login};
}
std::string about_password(const Setup& setup) {
    if (setup.server.local) return {};  // the server sees whose process it is
    return "password of login " + setup.options.login + " in " + setup.passfile;
}
Try<bool> password_there(const Setup& setup) {
    const auto found = find_password(setup.passfile, pass_entry(setup));
    if (!found) return tl::unexpected(found.error());
    if (!*found && setup.facts.login)
        return give_up(Exit::config, "login " + setup.options.login + " is there already, and " + setup.passfile +
                                         " has no password for it: add the line " + start_of(pass_entry(setup)) +
                                         "PASSWORD (file mode 0600, owner " + setup.account +
                                         "), or name another login with --login");
    return found->has_value();
}
RunLines password_commands(const Setup& setup) {
    const std::string file = shell_word(setup.passfile);
    const std::string random = "$(od -An -tx1 -N24 /dev/urandom | tr -d ' \\n')";
    RunLines lines{"(umask 077; echo " + shell_word(start_of(pass_entry(setup))) + random + " >>" + file + ")"};
    if (acts_for_account()) lines.push_back("chown " + shell_word(setup.account) + ": " + file);
    return lines;
}
Try<void> make_password(Setup& setup) {
    const auto added = add_password(setup.passfile, pass_entry(setup), setup.account);
    if (!added) return tl::unexpected(added.error());
    return {};
}

RunLines login_sql(const Setup& setup) {
    const std::string login = sql_name(setup.options.login);
    RunLines lines;
    if (!setup.facts.login) lines.push_back("CREATE ROLE " + login + " LOGIN IN ROLE dormouse_worker");
    if (setup.facts.login && !setup.facts.login_works) lines.push_back("GRANT dormouse_worker TO " + login);
    if (!setup.facts.login_connects)
        lines.push_back("GRANT CONNECT ON DATABASE " + sql_name(setup.database()) + " TO " + login);
    return lines;
}
std::string about_login(const Setup& setup) {
    return "login " + setup.options.login + " with dormouse_worker";
}
Try<bool> login_there(const Setup& setup) {
    const SetupFacts& facts = setup.facts;
    const std::string login = "login " + setup.options.login;
    if (facts.login_is_super)
        return give_up(Exit::denied, login +
                                         " is a superuser, and handlers could act as it; name another one with "
                                         "--login");
    if (facts.login && !facts.login_logs_in)
        return give_up(Exit::denied, "role " + setup.options.login + " cannot log in; ALTER ROLE " +
                                         sql_name(setup.options.login) + " LOGIN, or name another one with --login");
    if (facts.login_works && facts.login_connects) return true;
    if (!facts.login && !facts.makes_roles) return may_not(setup, "create roles", "no CREATEROLE");
    return false;
}
RunLines login_commands(const Setup& setup) {
    RunLines lines{psql(setup.server, login_sql(setup))};
    if (setup.facts.login || setup.server.local) return lines;
    // through a pipe: no password on a command line
    const std::string start = start_of(pass_entry(setup));
    lines.push_back("echo \"ALTER ROLE " + setup.options.login + " PASSWORD '$(grep -F " + shell_word(start) + " " +
                    shell_word(setup.passfile) + " | sed 's/.*://')'\" | " +
                    as_admin(setup.server, "psql " + shell_word(admin_url(setup.server))));
    return lines;
}
/// Only the verifier goes over the wire and into logs.
Try<std::string> password_sql(Setup& setup) {
    const auto found = find_password(setup.passfile, pass_entry(setup));
    if (!found) return tl::unexpected(found.error());
    if (!*found) return give_up(Exit::config, setup.passfile + ": the password is no longer there");
    const std::unique_ptr<char, decltype(&PQfreemem)> verifier(
        PQencryptPasswordConn(setup.connection->get(), (*found)->c_str(), setup.options.login.c_str(), nullptr),
        PQfreemem);
    if (!verifier) return give_up(Exit::internal, "libpq makes no verifier of the password");
    return "ALTER ROLE " + sql_name(setup.options.login) + " PASSWORD '" + verifier.get() + "'";
}
/// Not by script(): its error would show the statement.
Try<void> set_password(Setup& setup) {
    const auto sql = password_sql(setup);
    if (!sql) return tl::unexpected(sql.error());
    const Status done = setup.connection->script("password of login " + setup.options.login, *sql);
    if (done) return {};
    Failure failure = from(done.error());
    failure.message += "; if this server takes no SCRAM verifier, make the login with the password in " +
                       setup.passfile +
                       " by the commands that dormouse setup --dry-run shows, then dormouse setup "
                       "again";
    return tl::unexpected(std::move(failure));
}
Try<void> make_login(Setup& setup) {
    RunLines statements = login_sql(setup);
    statements.insert(statements.begin(), "BEGIN");
    if (const auto made = script(setup, statements); !made) return made;
    if (!setup.facts.login && !setup.server.local)
        if (const auto set = set_password(setup); !set) return set;
    return script(setup, {"COMMIT"});
}

RunLines application_sql(const Setup& setup) {
    const std::string login = sql_name(setup.options.application);
    RunLines lines;
    if (!setup.facts.application) lines.push_back("CREATE ROLE " + login + " LOGIN IN ROLE dormouse_producer");
    if (setup.facts.application && !setup.facts.application_enqueues)
        lines.push_back("GRANT dormouse_producer TO " + login);
    if (!setup.facts.application_connects)
        lines.push_back("GRANT CONNECT ON DATABASE " + sql_name(setup.database()) + " TO " + login);
    return lines;
}
std::string about_application(const Setup& setup) {
    return setup.options.application.empty()
               ? ""
               : "login " + setup.options.application + " of the application, with dormouse_producer";
}
Try<bool> application_there(const Setup& setup) {
    const SetupFacts& facts = setup.facts;
    const std::string name = sql_name(setup.options.application);
    if (setup.options.application == setup.options.login)
        return give_up(Exit::usage, "--application: " + setup.options.application +
                                        " is the pool's login, which can do more; name your program's");
    if (facts.application && !facts.application_logs_in)
        return give_up(Exit::denied, "role " + setup.options.application + " cannot log in; ALTER ROLE " + name +
                                         " LOGIN, or name the application's login");
    if (!facts.application && !setup.server.local)
        return give_up(Exit::config, "login " + setup.options.application +
                                         " is not there, and would have no password: CREATE ROLE " + name +
                                         " LOGIN, with \\password in psql; then dormouse setup again");
    if (facts.application_enqueues && facts.application_connects) return true;
    if (!facts.application && !facts.makes_roles) return may_not(setup, "create roles", "no CREATEROLE");
    return false;
}
RunLines application_commands(const Setup& setup) {
    return {psql(setup.server, application_sql(setup))};
}
Try<void> let_application_in(Setup& setup) {
    return script(setup, application_sql(setup));
}

}  // namespace

std::span<const SetupStep> login_steps() {
    static constexpr std::array steps{
        SetupStep{"password", about_password, password_there, password_commands, make_password},
        SetupStep{"login", about_login, login_there, login_commands, make_login},
        SetupStep{"application", about_application, application_there, application_commands, let_application_in},
    };
    return steps;
}

}  // namespace dormouse::cli
