#include "config/load.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/pool_name.h"
#include "config/document.h"
#include "config/environment.h"
#include "config/file.h"
#include "config/options.h"
#include "config/redact.h"
#include "config/tasks.h"
#include "config/text.h"
#include "config/variables.h"

namespace dormouse::config {

namespace {

constexpr std::string_view suffix = ".toml";

std::vector<std::string> section_names() {
    std::vector<std::string> names;
    for (const Option& option : options()) {
        const std::string section(option.key.name.substr(0, option.key.name.find('.')));
        if (names.empty() || names.back() != section) names.push_back(section);
    }
    names.emplace_back("environment");
    names.emplace_back("task");
    return names;
}

/// Why a name that no option has is refused.
std::string why_unknown(const std::string& name) {
    return unknown("key", name, option_names());
}

Status set_option(Loaded& loaded, const Option& option, const Value& value, const std::string& place,
                  const std::string& origin) {
    if (Status done = assign(option.key, option.slot(loaded.config), value); !done)
        return fail(done.error().kind, place + ": " + std::string(option.key.name) + ": " + done.error().message);
    loaded.origins[std::string(option.key.name)] = origin;
    return {};
}

/// One [section] of the file, other than [task].
Status apply_section(Loaded& loaded, const std::string& section, const Value& table, const std::string& path) {
    for (const auto& [key, value] : table.entries) {
        const std::string name = section + "." + key;
        const std::string place = path + ":" + std::to_string(value.line);
        const Option* option = find_option(name);
        if (option == nullptr) return fail(ErrorKind::invalid, place + ": " + named(name) + ": " + why_unknown(name));
        if (Status done = set_option(loaded, *option, value, place, "file " + place); !done) return done;
    }
    return {};
}

Status apply_file(Loaded& loaded, const Value& document, const std::string& path, const Sources& sources) {
    const std::vector<std::string> sections = section_names();
    for (const auto& [name, value] : document.entries) {
        const auto refused = [&, line = value.line, about = named(name)](const std::string& why) {
            return fail(ErrorKind::invalid, path + ":" + std::to_string(line) + ": " + about + ": " + why);
        };
        const bool known = std::find(sections.begin(), sections.end(), name) != sections.end();
        const bool is_table = value.kind == Value::Kind::table;
        if (!known && !is_table) return refused(unknown("key", name, option_names()));
        if (!known) return refused(unknown("table", name, sections));
        if (!is_table) return refused("expected a table: [" + name + (name == "task" ? ".NAME]" : "]"));
        if (name == "environment") {
            int line = 0;
            if (Status done = read_variables(value, loaded.config.environment, line); !done)
                return fail(ErrorKind::invalid,
                            path + ":" + std::to_string(line) + ": environment: " + done.error().message);
            continue;
        }
        const Status done = name == "task" ? read_tasks(value, path, {sources.functions, sources.may_be_functions},
                                                        loaded.config, loaded.origins)
                                           : apply_section(loaded, name, value, path);
        if (!done) return done;
    }
    return {};
}

Status read_into(Loaded& loaded, const Sources& sources) {
    const std::string path = file_of(sources);
    if (is_missing(path)) {
        if (sources.file) return fail(ErrorKind::invalid, path + ": no such file; correct --config or create it");
        return {};  // check_database() knows whether it was needed
    }
    const auto file = read_file(path);
    if (!file) return tl::unexpected(file.error());
    const auto document = parse_document(file->text, path);
    if (!document) return tl::unexpected(document.error());
    loaded.config.file = path;
    if (Status done = apply_file(loaded, *document, path, sources); !done) return done;
    if (file->world_readable && has_password(loaded.config.database.url))
        loaded.warnings.push_back(path +
                                  ": database.url holds a password and everybody may read the file; chmod o-r, or "
                                  "move the password to a credential, passfile or service file");
    const Alerts& alerts = loaded.config.alerts;
    if (file->world_readable && (!alerts.webhook.empty() || !alerts.smtp_password.empty() || !alerts.alive_url.empty()))
        loaded.warnings.push_back(path +
                                  ": [alerts] holds a secret and everybody may read the file; chmod o-r, or use " +
                                  "webhook_file, smtp_password_file and alive_url_file");
    for (const auto& [name, task] : loaded.config.tasks)
        if (file->world_readable && !task.alive_url.empty())
            loaded.warnings.push_back(path + ": task." + name +
                                      ".alive_url is a secret and everybody may read the file; chmod o-r, or use "
                                      "alive_url_file");
    return {};
}

/// The old variables of durations are seconds.
bool is_number(std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
}

Status apply_environment(Loaded& loaded, const Environment& environment) {
    for (const Option& option : options()) {
        for (const std::string& name : environment_names(option)) {
            const auto found = environment.find(name);
            if (found == environment.end() || found->second.empty()) continue;
            const std::string place = "environment " + name;
            std::string value = found->second;
            if (option.key.type == Type::duration && name != environment_name(option) && is_number(value)) value += "s";
            if (Status done = set_option(loaded, option, Value::typed(value), place, place); !done) return done;
            break;
        }
    }
    return {};
}

Status apply_sets(Loaded& loaded, const Sources& sources) {
    const std::string flag = sources.is_program ? "override" : "--set";
    for (const std::string& set : sources.sets) {
        const std::size_t equals = set.find('=');
        const std::string name(trimmed(std::string_view(set).substr(0, equals)));
        const std::string place = flag + " " + named(name);
        if (equals == std::string::npos)  // not repeated: it may be a URL
            return fail(ErrorKind::invalid, flag + ": expected section.key=value, such as worker.concurrency=8");
        if (name.starts_with("task."))
            return fail(ErrorKind::invalid, place + ": tasks are set in the file only, under [task.NAME]");
        const Option* option = find_option(name);
        if (option == nullptr) return fail(ErrorKind::invalid, place + ": " + why_unknown(name));
        const std::string_view value = std::string_view(set).substr(equals + 1);
        if (!sources.is_program && is_secret(option->key.type) && name != "database.url")
            return fail(ErrorKind::invalid, place + ": a secret on the command line can be seen in ps; use " + name +
                                                "_file, or the environment: " + environment_name(*option));
        if (!sources.is_program && is_secret(option->key.type) && has_password(value))
            return fail(ErrorKind::invalid,
                        place +
                            ": a password on the command line can be seen in ps; leave it out and use a passfile "
                            "(PGPASSFILE), a service file, the systemd credential pgpass, or DATABASE_URL");
        if (Status done =
                set_option(loaded, *option, Value::typed(value), flag, sources.is_program ? "override" : "flag");
            !done)
            return done;
    }
    return {};
}

/// Secrets that systemd hands to the unit (LoadCredential=pgpass:…); libpq reads passwords from a passfile of its own
/// format.
void find_credentials(Loaded& loaded, const Environment& environment) {
    const auto directory = environment.find("CREDENTIALS_DIRECTORY");
    if (directory == environment.end() || directory->second.empty()) return;
    const auto find = [&](const char* name, const char* option, std::string& slot) {
        const std::string path = directory->second + "/" + name;
        if (is_missing(path)) return;
        slot = path;
        loaded.origins[option] = "credential " + path;
    };
    find("pgpass", "database.passfile", loaded.config.database.passfile);
    find("webhook", "alerts.webhook_file", loaded.config.alerts.webhook_file);
    find("smtp_password", "alerts.smtp_password_file", loaded.config.alerts.smtp_password_file);
    find("alive_url", "alerts.alive_url_file", loaded.config.alerts.alive_url_file);
}

Status check_database(const Loaded& loaded, const Sources& sources) {
    if (!loaded.config.database.url.empty() || !sources.database_required) return {};
    const std::string path = file_of(sources);
    if (loaded.config.file.empty())
        return fail(ErrorKind::invalid, path + ": no such file, so pool " + quote(sources.pool) +
                                            " is not configured; create it, name another with --config, or set "
                                            "DATABASE_URL");
    return fail(ErrorKind::invalid, path +
                                        ": database.url is missing; add url = \"postgresql://…\" under [database], "
                                        "or set DATABASE_URL");
}

Status check_tasks(const Loaded& loaded, const Sources& sources) {
    if (!loaded.config.tasks.empty() || !sources.functions.empty() || !sources.tasks_required) return {};
    const std::string path = file_of(sources);
    return fail(ErrorKind::invalid,
                path + (loaded.config.file.empty() ? ": no such file, so pool " : ": pool ") + quote(sources.pool) +
                    " has no task, and could execute nothing; add a table [task.NAME] with a command" +
                    (sources.is_program ? ", or register a function" : ""));
}

}  // namespace

Environment of_process() {
    Environment all;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

Status check_pool_name(std::string_view name) {
    if (valid_pool_name(name)) return {};
    std::string endings;
    for (const std::string_view ending : taken_endings) endings += " " + std::string(ending);
    return fail(ErrorKind::invalid, "pool: found " + quote(name) +
                                        R"(, expected 1 to 63 of A-Z a-z 0-9 _ . - without "..", starting with none )"
                                        "of . and -, ending with none of" +
                                        endings);
}

std::string directory(const Environment& environment) {
    const auto found = environment.find("DORMOUSE_CONFIG_DIR");
    return found == environment.end() || found->second.empty() ? "/etc/dormouse" : found->second;
}

std::string file_of(const Sources& sources) {
    if (sources.file) return *sources.file;
    return directory(sources.environment) + "/" + sources.pool + std::string(suffix);
}

std::vector<std::string> pools(const Environment& environment) {
    std::vector<std::string> names;
    std::error_code ignored;  // an unreadable directory has no pools for this user
    std::filesystem::directory_iterator entry(directory(environment), ignored);
    for (const std::filesystem::directory_iterator end; !ignored && entry != end; entry.increment(ignored)) {
        const std::string file = entry->path().filename().string();
        if (!file.ends_with(suffix)) continue;
        std::string name = file.substr(0, file.size() - suffix.size());
        if (check_pool_name(name)) names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

/// A slot costs a thread there, not a process. No-op runs a second on two cores (2026-11-24, medians of 4 rounds): 16:
/// 54,700, 32: 57,600, 64: 59,300, 1000: 62,800.
constexpr int concurrency_of_functions = 32;

Result<Loaded> load(const Sources& sources) {
    if (Status done = check_pool_name(sources.pool); !done) return tl::unexpected(done.error());
    Loaded loaded{defaults(), {}, {}};
    loaded.config.pool = sources.pool;
    if (!sources.functions.empty()) loaded.config.worker.concurrency = concurrency_of_functions;
    for (const Option& option : options()) loaded.origins[std::string(option.key.name)] = "default";
    Status done = read_into(loaded, sources)
                      .and_then([&] { return apply_environment(loaded, sources.environment); })
                      .and_then([&] { return apply_sets(loaded, sources); })
                      .and_then([&] { return check_database(loaded, sources); })
                      .and_then([&] { return check_tasks(loaded, sources); });
    if (!done) return tl::unexpected(done.error());
    find_credentials(loaded, sources.environment);
    resolve_variables(loaded.config, sources.environment);
    add_functions(loaded.config, sources.functions);
    for (std::string& warning : odd_variables(sources.environment, loaded.config))
        loaded.warnings.push_back(std::move(warning));
    return loaded;
}

Status check_given(const Sources& sources) {
    Loaded loaded{defaults(), {}, {}};
    return apply_environment(loaded, sources.environment).and_then([&] { return apply_sets(loaded, sources); });
}

}  // namespace dormouse::config
