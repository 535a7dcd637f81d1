#include "cli/sandbox.h"

#include <pwd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/account.h"
#include "cli/setup_files.h"
#include "cli/text.h"
#include "config/load.h"
#include "systemd/sandbox.h"
#include "systemd/switch.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using systemd::Opening;

constexpr Millis longest_unit_answer{10'000};
constexpr Millis longest_reload{60'000};

std::string install_command(const std::string& pool) {
    return "sudo dormouse sandbox " + pool + " --install";
}

std::string list_of_tasks(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

Try<config::Config> load_sandbox_of(const std::string& pool) {
    config::Sources sources;
    sources.pool = pool;
    sources.environment = config::of_process();
    sources.database_required = false;
    auto loaded = config::load(sources);
    if (!loaded) return no_config(loaded.error());
    return std::move(loaded->config);
}

/// What is there now; empty: no file. Errors: it is somebody else's.
Try<std::string> drop_in_now(const std::string& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (text.empty() || text.starts_with(systemd::drop_in_start)) return text;
    return give_up(Exit::config,
                   path + ": is not of `dormouse sandbox`, and is not written over; give it another name");
}

/// Returns what was done.
Try<std::string> install_drop_in(const std::string& pool, const std::string& wanted) {
    if (::geteuid() != 0) return give_up(Exit::denied, "only root may write the units' files: " + command_as_root());
    const std::string path = systemd::drop_in_path(pool);
    const auto now = drop_in_now(path);
    if (!now) return tl::unexpected(now.error());
    if (*now == wanted)
        return std::string(wanted.empty() ? "no task needs more than the unit gives" : path + " is so already");
    if (wanted.empty()) {
        std::error_code failed;
        fs::remove(path, failed);
        if (failed) return give_up(Exit::denied, path + " cannot be removed: " + failed.message());
        fs::remove(fs::path(path).parent_path(), failed);  // fails where others have drop-ins
    } else if (auto done = replace_unit_file(path, wanted); !done) {
        return tl::unexpected(done.error());
    }
    const std::string did = path + (wanted.empty() ? " is removed, as no task needs it" : " is written");
    if (const Status read = systemd::reload_units(longest_reload); !read)
        return give_up(Exit::internal,
                       did + ", but systemd has not read that: " + read.error().message + "; systemctl daemon-reload");
    return did + "; in force at the worker's next start: systemctl try-restart dormouse@" + pool + ".service";
}

Json document_of(const config::Config& config, const std::vector<Opening>& openings, const std::string& text) {
    Json document{{"pool", config.pool},
                  {"path", systemd::drop_in_path(config.pool)},
                  {"drop_in", text.empty() ? Json(nullptr) : Json(text)},
                  {"openings", Json::array()}};
    for (const Opening& one : openings)
        document["openings"].push_back(
            {{"word", one.text()}, {"tasks", one.tasks}, {"settings", one.settings}, {"cost", one.cost}});
    return document;
}

/// Why a path cannot be written to, whatever the sandbox says; empty: it can, or that cannot be seen from here.
std::string trouble_with(const std::string& path, const std::string& name) {
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        return path + " is not there; a worker that starts before it is cannot write to it later";
    const passwd* const account = ::getpwnam(name.c_str());
    if (account == nullptr || ::geteuid() != account->pw_uid || ::access(path.c_str(), W_OK) == 0 || errno != EACCES)
        return "";
    return path + " may not be written by the user " + name;
}

}  // namespace

Findings look_at_sandbox(const config::Config& config) {
    Findings findings;
    const auto openings = systemd::openings_of(config.tasks);
    const std::string own = config::directory(config::of_process()) + "/" + config.pool + ".toml";
    if (openings.empty() || sd_booted() <= 0 || config.file != own) return findings;
    const std::string about = "pool " + config.pool + ": sandbox";
    const auto missing = systemd::not_given(config.pool, openings, longest_unit_answer);
    if (!missing) {
        findings.push_back({Grade::warning, about, missing.error().message, "systemctl cat dormouse@" + config.pool});
        return findings;
    }
    for (const Opening& one : *missing)
        findings.push_back({Grade::warning, about,
                            "task " + list_of_tasks(one.tasks) + ": sandbox." + one.text() +
                                " is not given by dormouse@" + config.pool + ".service",
                            install_command(config.pool)});
    const std::string account = account_of_pool(config.pool);
    for (const Opening& one : openings)
        if (one.word == systemd::Word::write)
            if (std::string trouble = trouble_with(one.value, account); !trouble.empty())
                findings.push_back({Grade::warning, about, "task " + list_of_tasks(one.tasks) + ": " + trouble,
                                    "sudo install -d -o " + shell_word(account) + " " + shell_word(one.value)});
    if (findings.empty()) findings.push_back({Grade::ok, about, "the unit gives all that the tasks need", ""});
    return findings;
}

Outcome sandbox(const SandboxOptions& options) {
    const auto config = load_sandbox_of(options.pool);
    if (!config) return tl::unexpected(config.error());
    const auto openings = systemd::openings_of(config->tasks);
    const std::string text = openings.empty() ? "" : systemd::drop_in_of(config->pool, config->file, openings);
    Json document = document_of(*config, openings, text);
    std::string said = text.empty() ? "# no task of pool " + config->pool + " needs more than the unit gives\n" : text;
    if (options.install) {
        const auto did = install_drop_in(config->pool, text);
        if (!did) return tl::unexpected(did.error());
        document["done"] = *did;
        said = *did + "\n";
    }
    print(options.json ? safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n" : said);
    return Exit::ok;
}

}  // namespace dormouse::cli
