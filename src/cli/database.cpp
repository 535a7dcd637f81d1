#include "cli/database.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "cli/account.h"
#include "cli/version.h"
#include "postgres/target.h"

namespace dormouse::cli {

namespace {

bool names_login(const std::string& url) {
    return postgres::says(url, "user");
}

/// As whom this is typed instead, as one line. Root acts as the account of a pool of the system's by itself.
std::string typed_by(const DatabaseChoice& choice, const std::string& account) {
    if (choice.of_system_pool && ::geteuid() != 0) return command_as_root();
    return command_as(account, choice.variable);
}

/// What to do about a login that the server does not let in; empty: its own words say enough.
std::string who_instead(const DatabaseChoice& choice, const std::string& message, postgres::Act act) {
    constexpr std::string_view peer = "Peer authentication failed for user \"";
    if (const auto at = message.find(peer); at != std::string::npos) {
        const std::string rest = message.substr(at + peer.size());
        const std::string login = rest.substr(0, rest.find('"'));
        const std::string alone = "; the server lets in that account alone";
        if (::getpwnam(login.c_str()) == nullptr)
            return alone + ", and this machine has none of that name: name another login, or a host for a password";
        return alone + ": " +
               (act == postgres::Act::uses ? typed_by(choice, login) : command_as(login, choice.variable));
    }
    if (message.find("FATAL:  role \"") == std::string::npos) return {};
    if (names_login(choice.database.url))
        return act == postgres::Act::administers || act == postgres::Act::migrates
                   ? "; the URL names that login, and the server has none: name an administrator's"
                   : "; the URL names that login, and the server has none: name a login that is there";
    const std::string you = "; without a user in its URL you are the login that is called like you: ";
    if (act == postgres::Act::uses)
        return you + "run this as the pool's user (" + typed_by(choice, account_of_pool(choice.pool)) +
               "), or name a login";
    return you +
           "run this as an administrator (sudo -u postgres dormouse migrate …; sudo dormouse setup …), or name a "
           "login";
}

/// As which account of this machine root connects, and with what string.
struct Way {
    std::string url;
    std::string account;  ///< empty: as the caller
};

/// The account that the server of a socket has.
std::string account_of_server(const postgres::Endpoint& place) {
    struct stat about{};
    if (::stat(postgres::socket_of(place).c_str(), &about) != 0) return {};
    const passwd* const owner = about.st_uid == 0 ? nullptr : ::getpwuid(about.st_uid);
    return owner == nullptr ? "" : owner->pw_name;
}

/// Root has the database of a system's pool as the account of its worker has it, where the server looks who is at the
/// other end of its socket, or the login is called like the process's user; and as its administrator where one is
/// needed.
Way way_to(const DatabaseChoice& choice, postgres::Act act) {
    const std::string& url = choice.database.url;
    if (!choice.of_system_pool || !acts_for_account()) return {url, ""};
    const auto target = postgres::parse_target(url, choice.database.passfile);
    const bool local = target && postgres::by_socket(*target);
    if (act == postgres::Act::uses) return {url, local || !names_login(url) ? account_of_pool(choice.pool) : ""};
    const std::string owner = local ? account_of_server(target->places.front()) : "";
    return owner.empty() ? Way{url, ""} : Way{postgres::with_user(url, owner), owner};
}

}  // namespace

Try<Opened> open_database(const DatabaseChoice& choice, const std::string& command, postgres::Act act) {
    ::setenv("PGTZ", "UTC",
             1);  // libpq sends it while connecting, which also a pooler understands; times are shown by when.h
    const postgres::BlockingOptions options{"dormouse " + command, choice.database.passfile,
                                            choice.database.connect_timeout};
    auto connection = [&] {
        const Way way = way_to(choice, act);
        const AsAccount acting(way.account);
        return postgres::BlockingConnection::open(way.url, options);
    }();
    if (connection) {
        const auto ground = postgres::take_ground(*connection, act, person());
        if (!ground) return give_up(ground.error());
        return Opened{std::move(*connection), ground->schema_exists};
    }
    Failure failure = from(connection.error());
    failure.message = choice.origin + ": " + failure.message;
    if (failure.exit == Exit::usage) failure.exit = Exit::config;
    // The server's own refusal says that it is there.
    if (failure.exit == Exit::unreachable && failure.message.find("FATAL:") == std::string::npos)
        failure.message += "; is the server up, and is this its address?";
    if (failure.exit == Exit::denied) failure.message += who_instead(choice, failure.message, act);
    return tl::unexpected(std::move(failure));
}

Try<postgres::BlockingConnection> open_database(const DatabaseChoice& choice, const std::string& command) {
    auto opened = open_database(choice, command, postgres::Act::uses);
    if (!opened) return tl::unexpected(opened.error());
    if (!opened->schema_exists) {
        if (const Status fits = postgres::require_fit({}, release()); !fits) return give_up(fits.error());
    }
    return std::move(opened->connection);
}

Try<Opened> open_database(const DatabaseOptions& options, const std::string& command, postgres::Act act) {
    const auto choice = choose_database(options, config::of_process());
    if (!choice) return tl::unexpected(choice.error());
    return open_database(*choice, command, act);
}

Try<postgres::BlockingConnection> open_database(const DatabaseOptions& options, const std::string& command,
                                                const std::string& queue) {
    const auto choice = choose_database(options, config::of_process(), queue);
    if (!choice) return tl::unexpected(choice.error());
    return open_database(*choice, command);
}

Try<void> check_schema(postgres::BlockingConnection& connection) {
    const auto state = postgres::schema_state(connection, migrations(), release());
    if (!state) return give_up(state.error());
    if (const Status fits = postgres::require_fit(*state, release()); !fits) return give_up(fits.error());
    return {};
}

Failure refusal(postgres::BlockingConnection& connection, const Error& error) {
    Failure failure = from(error);
    if (failure.exit != Exit::schema) return failure;
    if (PQtransactionStatus(connection.get()) == PQTRANS_INERROR)
        static_cast<void>(connection.script("schema", "ROLLBACK"));
    const auto fits = check_schema(connection);
    if (!fits && fits.error().exit == Exit::schema) return fits.error();
    // our own statements and functions name the schema of all they mean, and a producer may not ask for its version
    const auto has = [&](const char* words) { return error.message.find(words) != std::string::npos; };
    if (has("dormouse.") || has("\"dormouse\"")) {
        if (!fits) failure.message += "; the schema is missing or older: run `dormouse migrate`";
        return failure;
    }
    if (!has("(42P01)") && !has("(42703)") && !has("(42883)") && !has("(3F000)")) return failure;
    failure.exit = Exit::usage;  // as everything that a trigger refuses
    failure.message +=
        "; it is not in schema dormouse, so a trigger or rule of your own refers to it: name its schema "
        "there, or set the search_path of the trigger function (`dormouse doctor` names them)";
    return failure;
}

}  // namespace dormouse::cli
