#include "config/options.h"

#include <algorithm>
#include <cctype>

#include "config/text.h"

namespace dormouse::config {

namespace {

constexpr std::int64_t second = 1'000;
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t mebibyte = 1 << 20;

constexpr Option option_table[] = {
    {{"database.url", Type::secret, "",
      "The database with the runs, as a libpq URL or keyword string. Keep a password in a credential, "
      "passfile or service file instead."},
     "DATABASE_URL POSTGRES_URL",
     [](Config& config) -> Slot { return &config.database.url; }},
    {{"database.connect_timeout", Type::duration, "10s",
      "How long to try each address of the server. Change it only if the network is slow.", second / 10, 10 * minute},
     "",
     [](Config& config) -> Slot { return &config.database.connect_timeout; }},
    {{"database.close_after", Type::duration, "never",
      "For a database that suspends itself when it is idle: a worker that needs no session closes it after "
      "this long, and leases are longer. Defaults to 10s for hosts that are known to suspend.",
      100, hour, "never"},
     "",
     [](Config& config) -> Slot { return &config.database.close_after; }},
    {{"database.retry_max", Type::duration, "5min",
      "The longest pause between two attempts to connect during an outage. In the first ten minutes it is "
      "5 s at most, unless close_after is set.",
      second / 10, hour},
     "",
     [](Config& config) -> Slot { return &config.database.retry_max; }},
    {{"worker.queues", Type::names, "default",
      "The queues that this pool serves, in strict order: a later queue is served only while the earlier "
      "ones are empty.",
      1, 48},
     "",
     [](Config& config) -> Slot { return &config.worker.queues; }},
    {{"worker.concurrency", Type::integer, "4",
      "How many runs a worker executes at the same time. Defaults to 32 in a program with functions of its "
      "own.",
      1, 10'000},
     "WORKER_CONCURRENCY AGENTEXEC_NUM_WORKERS",
     [](Config& config) -> Slot { return &config.worker.concurrency; }},
    {{"worker.pass_environment", Type::names, "",
      "Variables of the worker's own environment to pass to all handlers, in addition to the standard "
      "ones. A name may end with * as a wildcard; \"*\" passes all. For containers, which get "
      "configuration and secrets this way.",
      0, 200},
     "",
     [](Config& config) -> Slot { return &config.worker.pass_environment; }},
    {{"worker.batch_size", Type::integer, "0",
      "The largest number of runs per claim. 0 adapts to the load; change it only if other workers get too "
      "few runs.",
      0, 10'000},
     "WORKER_BATCH_SIZE",
     [](Config& config) -> Slot { return &config.worker.batch_size; }},
    {{"worker.idle_exit", Type::duration, "30min",
      "How long a worker must be idle before it exits; a doorbell starts it again.", 1, 365 * day, "never"},
     "",
     [](Config& config) -> Slot { return &config.worker.idle_exit; }},
    {{"worker.look_exit", Type::duration, "1min",
      "Used instead of idle_exit by a worker that has executed no run since it started.", 1, 365 * day},
     "",
     [](Config& config) -> Slot { return &config.worker.look_exit; }},
    {{"worker.lease", Type::duration, "5min",
      "How long a claim is valid without being extended; then another host may take the run. Extended "
      "after a third of this time while the run is in flight.",
      2 * second, day},
     "",
     [](Config& config) -> Slot { return &config.worker.lease; }},
    {{"worker.shutdown_grace", Type::duration, "30s",
      "How long running handlers may continue after the worker is told to stop, before they are stopped "
      "and their runs are handed back.",
      0, day},
     "AGENTEXEC_GRACEFUL_SHUTDOWN_TIMEOUT",
     [](Config& config) -> Slot { return &config.worker.shutdown_grace; }},
    {{"wake.max_sleep", Type::duration, "off",
      "The longest time a pool sleeps without a look, at the cost of one look each time. Enable it only if "
      "runs are inserted where no doorbell can be rung.",
      second, 365 * day, "off"},
     "",
     [](Config& config) -> Slot { return &config.wake.max_sleep; }},
    {{"wake.notify", Type::promise, "when_needed",
      "when_needed: while a worker is busy, it promises to look again, so that producers can skip NOTIFY, "
      "which makes their commits wait for each other. always: it never promises, and producers send NOTIFY "
      "while it is awake."},
     "",
     [](Config& config) -> Slot { return &config.wake.promises; }},
    {{"retention.finished", Type::duration, "30d",
      "How long finished runs are kept, with their keys, attempts and logs. The longest setting of all "
      "pools of a database applies.",
      hour, 3650 * day, "never"},
     "",
     [](Config& config) -> Slot { return &config.retention.finished; }},
    {{"limits.payload_bytes", Type::bytes, "1MiB", "The maximum size of a payload; a run with a larger one fails.", 2,
      255 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.payload_bytes; }},
    {{"limits.result_bytes", Type::bytes, "1MiB", "The maximum size of a result; a larger one fails the run.", 2,
      255 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.result_bytes; }},
    {{"limits.log_bytes", Type::bytes, "64KiB",
      "How much of an attempt's stderr and log messages is kept in the log of its run.", 0, 16 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.log_bytes; }},
    {{"alerts.command", Type::arguments, "",
      "A program that receives each alert as JSON on its stdin; see docs/alerts.md."},
     "",
     [](Config& config) -> Slot { return &config.alerts.command; }},
    {{"alerts.webhook", Type::secret, "",
      "A URL to which each alert is posted as JSON with the key text, as Slack and others accept it. It is "
      "a secret; keep it in the credential \"webhook\" or in a file instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.webhook; }},
    {{"alerts.webhook_file", Type::path, "", "A file that contains the URL instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.webhook_file; }},
    {{"alerts.mail_to", Type::names, "", "The recipients of alert mails.", 0, 254},
     "HEARTBEAT_MONITOR_ALERT_EMAIL",
     [](Config& config) -> Slot { return &config.alerts.mail_to; }},
    {{"alerts.mail_from", Type::text, "",
      "The sender of alert mails. Defaults to smtp_user, or else the first of mail_to."},
     "EMAIL_FROM",
     [](Config& config) -> Slot { return &config.alerts.mail_from; }},
    {{"alerts.smtp_host", Type::text, "localhost",
      "The mail server. TLS is required, except for a server on this host without a login."},
     "SMTP_HOST",
     [](Config& config) -> Slot { return &config.alerts.smtp_host; }},
    {{"alerts.smtp_port", Type::integer, "587",
      "The mail server's port. 465 uses TLS from the first byte, others STARTTLS.", 1, 65'535},
     "SMTP_PORT",
     [](Config& config) -> Slot { return &config.alerts.smtp_port; }},
    {{"alerts.smtp_user", Type::text, "", "The login for the mail server, if it requires one."},
     "SMTP_USER",
     [](Config& config) -> Slot { return &config.alerts.smtp_user; }},
    {{"alerts.smtp_password", Type::secret, "",
      "The password for the mail server. Keep it in the credential \"smtp_password\" or in a file instead."},
     "SMTP_PASSWORD",
     [](Config& config) -> Slot { return &config.alerts.smtp_password; }},
    {{"alerts.smtp_password_file", Type::path, "", "A file that contains the password instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.smtp_password_file; }},
    {{"alerts.ca_file", Type::path, "",
      "The certificate authorities to trust for webhook and mail server, if not the host's."},
     "",
     [](Config& config) -> Slot { return &config.alerts.ca_file; }},
    {{"alerts.database_lost", Type::duration, "5min", "How long the database may be lost before an alert is sent.",
      second, day, "never"},
     "",
     [](Config& config) -> Slot { return &config.alerts.database_lost; }},
    {{"alerts.backlog_age", Type::duration, "5min",
      "How long a due run may wait in a queue of this pool before an alert is sent; 0: never.", 0, 30 * day, "never"},
     "",
     [](Config& config) -> Slot { return &config.alerts.backlog_age; }},
    {{"alerts.gather", Type::duration, "10s", "Problems within this time are sent in one message.", second / 10, hour},
     "",
     [](Config& config) -> Slot { return &config.alerts.gather; }},
    {{"alerts.repeat", Type::duration, "1h", "At most one message per kind of problem is sent within this time.",
      second, 7 * day},
     "",
     [](Config& config) -> Slot { return &config.alerts.repeat; }},
    {{"alerts.alive_url", Type::url, "",
      "A URL that is fetched while a worker is awake and has its database, as healthchecks.io and others take it: they "
      "raise the alarm when that stays away. A secret, better kept in the credential \"alive_url\" or a file."},
     "",
     [](Config& config) -> Slot { return &config.alerts.alive_url; }},
    {{"alerts.alive_url_file", Type::path, "", "A file that holds the URL instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.alive_url_file; }},
    {{"alerts.alive_every", Type::duration, "5min",
      "How often it is fetched while the worker is awake; a pool that sleeps fetches nothing.", second, day},
     "",
     [](Config& config) -> Slot { return &config.alerts.alive_every; }},
    {{"paths.runtime_directory", Type::path, "/run/dormouse",
      "The directory of sockets and due files. Change it only together with the units."},
     "",
     [](Config& config) -> Slot { return &config.paths.runtime_directory; }},
    {{"paths.spool_directory", Type::path, "/var/spool/dormouse",
      "The directory of spools, with a subdirectory POOL. Change it only together with the units."},
     "",
     [](Config& config) -> Slot { return &config.paths.spool_directory; }},
    {{"paths.wake_directory", Type::path, "/run/dormouse.wake",
      "The directory to which Postgres on this host writes its wake files. Change it only together with "
      "the units."},
     "",
     [](Config& config) -> Slot { return &config.paths.wake_directory; }},
    {{"metrics.textfile", Type::path, "",
      "The file to which an awake worker writes its metrics for node_exporter: a path that ends in .prom, "
      "or a directory, for dormouse_POOL.prom in it. Without it, none is written."},
     "",
     [](Config& config) -> Slot { return &config.metrics.textfile; }},
    {{"metrics.listen", Type::listen, "",
      "The address at which an awake worker serves its metrics (GET /metrics). A scrape neither wakes a "
      "pool nor keeps it awake. Without it, none are served."},
     "",
     [](Config& config) -> Slot { return &config.metrics.listen; }},
    {{"traces.file", Type::path, "",
      "Where a worker writes a span of OpenTelemetry for each attempt, a line of OTLP/JSON each time; see "
      "docs/traces.md. Without it, nowhere."},
     "",
     [](Config& config) -> Slot { return &config.traces.file; }},
};

}  // namespace

std::span<const Option> options() {
    return option_table;
}

const Option* find_option(std::string_view name) {
    for (const Option& option : option_table)
        if (option.key.name == name) return &option;
    return nullptr;
}

std::string environment_name(const Option& option) {
    std::string name = "DORMOUSE_";
    for (const char c : option.key.name)
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

std::vector<std::string> environment_names(const Option& option) {
    std::vector<std::string> names{environment_name(option)};
    for (std::string_view rest = option.old_environment; !rest.empty();) {
        const auto end = std::min(rest.find(' '), rest.size());
        names.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return names;
}

std::vector<std::string> database_variables() {
    return environment_names(*find_option("database.url"));
}

std::vector<std::string> option_names() {
    std::vector<std::string> names;
    for (const Option& option : option_table) names.emplace_back(option.key.name);
    return names;
}

Config defaults() {
    Config config;
    for (const Option& option : option_table)
        if (!option.key.fallback.empty())
            static_cast<void>(assign(option.key, option.slot(config), Value::typed(option.key.fallback)));
    return config;
}

std::string unknown(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
    const std::string start = "unknown " + std::string(what);
    const std::string near = nearest(name, known);
    if (!near.empty()) return start + "; did you mean " + near + "?";
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    return start + "; there are " + all;
}

}  // namespace dormouse::config
