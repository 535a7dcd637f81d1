#include <sys/stat.h>
#include <sys/statvfs.h>
#include <systemd/sd-daemon.h>

#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "cli/account.h"
#include "cli/doctor_parts.h"
#include "cli/sandbox.h"
#include "config/duration.h"
#include "config/load.h"
#include "postgres/target.h"
#include "systemd/units.h"
#include "worker/main.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t few_bytes = 64ULL << 20U;
constexpr std::uint64_t few_inodes = 1'000;

std::string octal(mode_t mode) {
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode & 07777U);
    return text;
}

/// What mends a step of the check that failed.
std::string remedy_for(const worker::PoolCheck::Step& step, const worker::PoolCheck& check, const std::string& pool) {
    if (step.name.starts_with("task ")) return "dormouse try " + shell_word(step.name.substr(5)) + " --pool " + pool;
    if (step.name == "configuration") return "dormouse config " + pool;
    if (step.name == "handlers") return "dormouse worker " + pool + " --check";
    return !check.outcome && check.outcome.error().kind == ErrorKind::incompatible
               ? "dormouse migrate --pool " + pool
               : "dormouse worker " + pool + " --check";
}

void add_check(Findings& findings, const std::string& name, const std::string& pool,
               const config::Environment& environment) {
    config::Sources sources;
    sources.pool = pool;
    sources.environment = environment;
    const worker::PoolCheck check = worker::check_pool(std::move(sources));
    for (const auto& step : check.steps) {
        if (step.name == "handlers" && !step.ok) continue;  // each of its tasks has said so
        findings.push_back({step.ok ? Grade::ok : Grade::failed, name + ": " + step.name, brief(step.text),
                            step.ok ? "" : remedy_for(step, check, pool)});
    }
    for (const std::string& warning : check.warnings)
        findings.push_back({Grade::warning, name, warning, "dormouse config " + pool});
    if (!check.outcome && check.steps.back().name == "database")
        findings.push_back({Grade::note, name + ": handlers", "not tried, because the database is not there",
                            "dormouse worker " + pool + " --check, once it is"});
}

/// A file with a secret in it. libpq does not use a passfile that the group may read.
void add_secret(Findings& findings, const std::string& about, const std::string& path, mode_t forbidden) {
    struct stat seen{};
    if (path.empty() || ::stat(path.c_str(), &seen) != 0) return;  // that it is missing is said by whoever reads it
    const bool fine = (seen.st_mode & forbidden) == 0;
    findings.push_back({fine ? Grade::ok : Grade::failed, about,
                        path + " has mode " + octal(seen.st_mode) +
                            (fine               ? ""
                             : forbidden == 077 ? ", so libpq does not use it"
                                                : ", so others may read it"),
                        fine               ? ""
                        : forbidden == 077 ? "chmod 600 " + shell_word(path)
                                           : "chmod o= " + shell_word(path)});
}

void add_files(Findings& findings, const std::string& name, const config::Config& config) {
    struct stat seen{};
    if (!config.file.empty() && ::stat(config.file.c_str(), &seen) == 0 && (seen.st_mode & S_IWOTH) != 0)
        findings.push_back({Grade::failed, name,
                            config.file + " is writable by everybody, who can then run code as this pool",
                            "chmod o-w " + shell_word(config.file)});
    if (const auto target = postgres::parse_target(config.database.url, config.database.passfile)) {
        const auto passfile = target->options.find("passfile");
        if (passfile != target->options.end()) add_secret(findings, name + ": passfile", passfile->second, 077);
    }
    add_secret(findings, name + ": alerts.webhook_file", config.alerts.webhook_file, S_IROTH | S_IWOTH);
    add_secret(findings, name + ": alerts.smtp_password_file", config.alerts.smtp_password_file, S_IROTH | S_IWOTH);
    add_secret(findings, name + ": alerts.alive_url_file", config.alerts.alive_url_file, S_IROTH | S_IWOTH);
    for (const auto& [task, settings] : config.tasks) {
        add_secret(findings, name + ": environment of " + task, settings.environment_file, S_IROTH | S_IWOTH);
        add_secret(findings, name + ": alive_url_file of " + task, settings.alive_url_file, S_IROTH | S_IWOTH);
    }
}

void add_spool(Findings& findings, const std::string& name, const config::Config& config) {
    const std::string path = config.paths.spool_directory + "/" + config.pool;
    const std::string about = name + ": spool";
    struct stat seen{};
    struct statvfs disk{};
    if (::stat(path.c_str(), &seen) != 0) return;  // nobody has used it
    if (::statvfs(path.c_str(), &disk) != 0) return;
    const std::uint64_t bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    const bool full = bytes < few_bytes || (disk.f_files > 0 && disk.f_favail < few_inodes);
    findings.push_back({full ? Grade::failed : Grade::ok, about,
                        path + " has mode " + octal(seen.st_mode) + ", " + std::to_string(bytes >> 20U) + " MiB and " +
                            (disk.f_files > 0 ? std::to_string(disk.f_favail) : std::string("enough")) +
                            " inodes are free",
                        full ? "df -h " + shell_word(path) + "; df -i " + shell_word(path) : ""});
}

/// A worker that leaves asks systemd for the time that it needs, which a daemon-reload makes it forget: each upgrade of
/// packages has one.
void add_stop(Findings& findings, const std::string& name, const config::Config& config) {
    constexpr Millis patience{2'000};
    constexpr Millis after_the_grace{30'000};  // handlers that do not listen, last writes, dormouse-due
    const Millis needed = config.worker.shutdown_grace + after_the_grace;
    const auto given = sd_booted() > 0 ? systemd::stop_timeout_of(config.pool, patience) : needed;
    if (!given || *given >= needed) return;  // look_at_units() says that the bus does not answer
    const std::string directory = "/etc/systemd/system/dormouse@" + config.pool + ".service.d";
    findings.push_back({Grade::warning, name + ": shutdown_grace",
                        "is " + config::duration_text(config.worker.shutdown_grace) + ", and systemd ends a worker " +
                            config::duration_text(*given) +
                            " after a stop (TimeoutStopSec=) if it is reloaded meanwhile",
                        "mkdir -p " + directory + "; printf '[Service]\\nTimeoutStopSec=%ss\\n' " +
                            std::to_string((needed.count() + 999) / 1'000) + " >" + directory +
                            "/stop.conf; systemctl daemon-reload"});
}

}  // namespace

void look_at_pool(Findings& findings, const std::string& pool, const config::Environment& environment) {
    const std::string name = "pool " + pool;
    add_check(findings, name, pool, environment);
    config::Sources sources;
    sources.pool = pool;
    sources.environment = environment;
    sources.database_required = false;
    const auto loaded = config::load(sources);
    if (!loaded) return;  // the check has said so
    add_files(findings, name, loaded->config);
    add_spool(findings, name, loaded->config);
    add_stop(findings, name, loaded->config);
    for (Finding& one : look_at_sandbox(loaded->config)) findings.push_back(std::move(one));
}

}  // namespace dormouse::cli
