#include "cli/setup.h"

#include <nlohmann/json.hpp>

#include "cli/account.h"
#include "cli/server_unit.h"
#include "cli/setup_files.h"
#include "cli/setup_steps.h"
#include "cli/text.h"
#include "config/options.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Which database, and a session with it: to another one of the server while it is not there.
Try<void> look(Setup& setup) {
    if (!setup.server.parts.contains("dbname")) {
        auto connection = connect(setup.server, "postgres");
        if (!connection) return tl::unexpected(connection.error());
        const auto names = databases_of(*connection);
        if (!names) return tl::unexpected(names.error());
        Parts parts = setup.server.parts;
        parts.erase("password");
        parts["dbname"] = "NAME";
        return give_up(Exit::usage, "which database? dormouse setup " + shell_word(url_of(parts)) +
                                        ", or --create-database NAME; there " +
                                        (names->empty() ? "is none yet" : "are: " + *names));
    }
    auto connection = connect(setup.server);
    const bool there = connection.has_value();
    if (!there) {
        // the one failure of a connection that is about the database, with what is told of it
        if (connection.error().exit != Exit::schema) return tl::unexpected(connection.error());
        connection = connect(setup.server, "postgres");
        if (!connection) return tl::unexpected(connection.error());
    }
    if (!setup.options.no_systemd && config::directory(setup.environment) == config::directory({}))
        setup.server_unit = unit_of_server(*connection);
    auto facts = look_at(*connection, there, setup.options);
    if (!facts) return tl::unexpected(facts.error());
    setup.facts = std::move(*facts);
    setup.connection.emplace(std::move(*connection));
    return {};
}

struct Planned {
    const SetupStep* step;
    bool there;
    std::string about;
    std::vector<std::string> commands;
};

/// Each step is asked before any is done.
Try<std::vector<Planned>> plan(const Setup& setup) {
    std::vector<Planned> all;
    for (const auto& part : {database_steps(), login_steps(), pool_steps()})
        for (const SetupStep& step : part) {
            std::string about = step.about(setup);
            if (about.empty()) continue;
            const auto there = step.there(setup);
            if (!there) return tl::unexpected(there.error());
            all.push_back(
                {&step, *there, std::move(about), *there ? std::vector<std::string>{} : step.commands(setup)});
        }
    return all;
}

/// A line for each step, in the form of a shell script.
void tell(const Planned& one) {
    print(std::string("# ") + (one.there ? "there already: " : "") + escaped(one.about) + "\n");
    for (const std::string& command : one.commands) print(command + "\n");
}

std::string next_command(const Setup& setup) {
    if (setup.options.no_systemd) return "dormouse worker " + setup.options.pool;
    return (acts_for_account() ? std::string("sudo ") : "") +
           "dormouse enqueue count '{\"hello\": " + "\"world\"}' --wait --pool " + setup.options.pool;
}

/// How the application gets in; empty: it was named.
std::string application_command(const Setup& setup) {
    if (!setup.options.application.empty()) return {};
    const std::string pool = setup.options.pool == "default" ? "" : " --pool " + setup.options.pool;
    const std::string login =
        setup.options.login == worker_account ? "" : " --login " + shell_word(setup.options.login);
    return (acts_for_account() ? "sudo dormouse setup " : "dormouse setup ") + shell_word(admin_url(setup.server)) +
           pool + login + (setup.options.no_systemd ? " --no-systemd" : "") + " --application LOGIN";
}

std::string document_of(const std::vector<Planned>& planned, const Setup& setup) {
    Json document{{"pool", setup.options.pool}, {"done", !setup.options.dry_run}, {"steps", Json::array()}};
    for (const Planned& one : planned)
        document["steps"].push_back(
            {{"step", one.step->name}, {"about", one.about}, {"there", one.there}, {"commands", one.commands}});
    document["next"] = next_command(setup);
    if (const std::string lets_in = application_command(setup); !lets_in.empty())
        document["next_application"] = lets_in;
    return safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

Outcome setup(const SetupOptions& options) {
    if (const Status name = config::check_pool_name(options.pool); !name)
        return give_up(Exit::usage, name.error().message);
    Setup setup;
    setup.options = options;
    setup.environment = config::of_process();
    // what is meant for commands is not the pool's
    auto server = find_setup_server(options, setup.environment);
    if (!server) return tl::unexpected(server.error());
    setup.server = std::move(*server);
    for (const std::string& name : config::database_variables()) setup.environment.erase(name);
    const std::string directory = config::directory(setup.environment);
    setup.pool_file = directory + "/" + options.pool + ".toml";
    setup.account = account_of_pool(options.pool);
    // libpq takes a passfile of its own account alone
    setup.passfile = directory + "/" + (setup.account == worker_account ? "" : options.pool + ".") + "pgpass";
    if (const auto looked = look(setup); !looked) return tl::unexpected(looked.error());
    const auto planned = plan(setup);
    if (!planned) return tl::unexpected(planned.error());
    const bool speaks = !options.json;
    if (speaks && setup.server.parts.contains("password"))
        print("read -rsp 'Password: ' PGPASSWORD && export PGPASSWORD    # of login " + escaped(setup.facts.user) +
              "\n");
    for (const Planned& one : *planned) {
        if (speaks) tell(one);
        if (one.there || options.dry_run) continue;
        flush_stdout();
        if (const auto done = one.step->act(setup); !done) return tl::unexpected(done.error());
    }
    if (speaks && setup.facts.everybody_connects)
        print("# note: everybody may connect to database " + escaped(setup.database()) +
              ", so a login with a role of dormouse in another database of this server has it here too; if that is "
              "not intended: REVOKE CONNECT ON DATABASE " +
              escaped(sql_name(setup.database())) + " FROM PUBLIC, and GRANT CONNECT to each login that needs it\n");
    if (speaks) {
        print("# next: " + next_command(setup) + "\n");
        if (const std::string lets_in = application_command(setup); !lets_in.empty())
            print("# next: " + lets_in + "    # so that your program may enqueue\n");
    } else {
        print(document_of(*planned, setup) + "\n");
    }
    return Exit::ok;
}

}  // namespace dormouse::cli
