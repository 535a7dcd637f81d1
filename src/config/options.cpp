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
      "Where the runs are, as a libpq URL or keyword string; a password is better kept in a credential, passfile or "
      "service file."},
     "DATABASE_URL POSTGRES_URL",
     [](Config& config) -> Slot { return &config.database.url; }},
    {{"database.connect_timeout", Type::duration, "10s",
      "How long each address of the server is tried; leave it alone unless the network is slow.", second / 10,
      10 * minute},
     "",
     [](Config& config) -> Slot { return &config.database.connect_timeout; }},
    {{"database.close_after", Type::duration, "never",
      "For a database that sleeps when nobody talks to it: the session of a worker that needs none is closed after so "
      "long, and leases are long; 10s by itself for hosts that are known to suspend.",
      100, hour, "never"},
     "",
     [](Config& config) -> Slot { return &config.database.close_after; }},
    {{"database.retry_max", Type::duration, "5min",
      "The longest pause between two tries while the database cannot be had; for ten minutes it is 5 s at most, unless "
      "close_after says that the database sleeps.",
      second / 10, hour},
     "",
     [](Config& config) -> Slot { return &config.database.retry_max; }},
    {{"worker.queues", Type::names, "default",
      "The queues this pool serves, in strict order: a later one is looked at when the earlier ones are "
      "empty.",
      1, 48},
     "",
     [](Config& config) -> Slot { return &config.worker.queues; }},
    {{"worker.concurrency", Type::integer, "4",
      "How many runs are executed at the same time; 32 by default in a program with functions of its own.", 1, 10'000},
     "WORKER_CONCURRENCY AGENTEXEC_NUM_WORKERS",
     [](Config& config) -> Slot { return &config.worker.concurrency; }},
    {{"worker.pass_environment", Type::names, "",
      "Variables of the worker's own environment that all handlers get besides the listed ones; a * at the end stands "
      "for the rest of a name, alone for all. In a container, where configuration and secrets come that way.",
      0, 200},
     "",
     [](Config& config) -> Slot { return &config.worker.pass_environment; }},
    {{"worker.batch_size", Type::integer, "0",
      "The most runs one claim takes; leave it at 0, which follows the load, unless other workers go hungry.", 0,
      10'000},
     "WORKER_BATCH_SIZE",
     [](Config& config) -> Slot { return &config.worker.batch_size; }},
    {{"worker.idle_exit", Type::duration, "30min",
      "How long the queues have to be quiet before the worker exits, to be started again by a doorbell.", 1, 365 * day,
      "never"},
     "",
     [](Config& config) -> Slot { return &config.worker.idle_exit; }},
    {{"worker.look_exit", Type::duration, "1min",
      "The same for a worker that has run nothing since it woke, instead of idle_exit.", 1, 365 * day},
     "",
     [](Config& config) -> Slot { return &config.worker.look_exit; }},
    {{"worker.lease", Type::duration, "5min",
      "How long a claimed run stays with a worker that is not heard of, before another host may take it; "
      "extended at a "
      "third while the run is in flight.",
      2 * second, day},
     "",
     [](Config& config) -> Slot { return &config.worker.lease; }},
    {{"worker.shutdown_grace", Type::duration, "30s",
      "How long runs may go on after the worker was told to stop, before they are ended and handed back.", 0, day},
     "AGENTEXEC_GRACEFUL_SHUTDOWN_TIMEOUT",
     [](Config& config) -> Slot { return &config.worker.shutdown_grace; }},
    {{"wake.max_sleep", Type::duration, "off",
      "The longest sleep without a look, at the cost of one look each time; leave it off unless runs are inserted "
      "where nobody can ring a doorbell.",
      second, 365 * day, "off"},
     "",
     [](Config& config) -> Slot { return &config.wake.max_sleep; }},
    {{"wake.notify", Type::promise, "when_needed",
      "when_needed: while the worker is busy it promises to look again, and producers send no NOTIFY, which makes "
      "their commits wait for each other; always: it never promises, so they send it while it is awake."},
     "",
     [](Config& config) -> Slot { return &config.wake.promises; }},
    {{"retention.finished", Type::duration, "30d",
      "How long runs that have finished are kept, with their keys, attempts and logs; of the pools of a database the "
      "longest counts.",
      hour, 3650 * day, "never"},
     "",
     [](Config& config) -> Slot { return &config.retention.finished; }},
    {{"limits.payload_bytes", Type::bytes, "1MiB", "The largest payload a run may have.", 2, 255 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.payload_bytes; }},
    {{"limits.result_bytes", Type::bytes, "1MiB", "The largest result a handler may give; a larger one fails the run.",
      2, 255 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.result_bytes; }},
    {{"limits.log_bytes", Type::bytes, "64KiB",
      "How much of what an attempt says is kept in its run's log: its stderr and its log messages.", 0, 16 * mebibyte},
     "",
     [](Config& config) -> Slot { return &config.limits.log_bytes; }},
    {{"alerts.command", Type::arguments, "",
      "A program that is told what needs a person: one message as JSON on its stdin; see docs/alerts.md."},
     "",
     [](Config& config) -> Slot { return &config.alerts.command; }},
    {{"alerts.webhook", Type::secret, "",
      "A URL to which each message is posted as JSON with the key text, as Slack and others take it; a secret, better "
      "kept in the credential \"webhook\" or a file."},
     "",
     [](Config& config) -> Slot { return &config.alerts.webhook; }},
    {{"alerts.webhook_file", Type::path, "", "A file that holds the URL instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.webhook_file; }},
    {{"alerts.mail_to", Type::names, "", "To whom each message is mailed.", 0, 254},
     "HEARTBEAT_MONITOR_ALERT_EMAIL",
     [](Config& config) -> Slot { return &config.alerts.mail_to; }},
    {{"alerts.mail_from", Type::text, "",
      "The sender of these mails; by default smtp_user, or else the first of mail_to."},
     "EMAIL_FROM",
     [](Config& config) -> Slot { return &config.alerts.mail_from; }},
    {{"alerts.smtp_host", Type::text, "localhost",
      "The server that takes them. TLS is a must, except for a server on this host without a login."},
     "SMTP_HOST",
     [](Config& config) -> Slot { return &config.alerts.smtp_host; }},
    {{"alerts.smtp_port", Type::integer, "587", "Its port; 465 speaks TLS from the first byte, others STARTTLS.", 1,
      65'535},
     "SMTP_PORT",
     [](Config& config) -> Slot { return &config.alerts.smtp_port; }},
    {{"alerts.smtp_user", Type::text, "", "The login there; leave it out for a server that wants none."},
     "SMTP_USER",
     [](Config& config) -> Slot { return &config.alerts.smtp_user; }},
    {{"alerts.smtp_password", Type::secret, "",
      "Its password; better kept in the credential \"smtp_password\" or a file."},
     "SMTP_PASSWORD",
     [](Config& config) -> Slot { return &config.alerts.smtp_password; }},
    {{"alerts.smtp_password_file", Type::path, "", "A file that holds the password instead."},
     "",
     [](Config& config) -> Slot { return &config.alerts.smtp_password_file; }},
    {{"alerts.ca_file", Type::path, "",
      "The certificates that vouch for webhook and mail server; leave it out unless they have one of your own."},
     "",
     [](Config& config) -> Slot { return &config.alerts.ca_file; }},
    {{"alerts.database_lost", Type::duration, "5min", "How long the database may be away, before that is told.", second,
      day, "never"},
     "",
     [](Config& config) -> Slot { return &config.alerts.database_lost; }},
    {{"alerts.backlog_age", Type::duration, "5min",
      "How long a run may be due and wait in a queue of this pool, before that is told; 0: never.", 0, 30 * day,
      "never"},
     "",
     [](Config& config) -> Slot { return &config.alerts.backlog_age; }},
    {{"alerts.gather", Type::duration, "10s", "What happens within that time is told in one message.", second / 10,
      hour},
     "",
     [](Config& config) -> Slot { return &config.alerts.gather; }},
    {{"alerts.repeat", Type::duration, "1h", "Of one kind of trouble there is at most one message in that time.",
      second, 7 * day},
     "",
     [](Config& config) -> Slot { return &config.alerts.repeat; }},
    {{"paths.runtime_directory", Type::path, "/run/dormouse",
      "Where sockets and due files lie; leave it alone unless the units were changed likewise."},
     "",
     [](Config& config) -> Slot { return &config.paths.runtime_directory; }},
    {{"paths.spool_directory", Type::path, "/var/spool/dormouse",
      "Where runs are put as files, in POOL/; leave it alone unless the units were changed likewise."},
     "",
     [](Config& config) -> Slot { return &config.paths.spool_directory; }},
    {{"paths.wake_directory", Type::path, "/run/dormouse.wake",
      "Where Postgres on this host writes its wake files; leave it alone unless the units were changed likewise."},
     "",
     [](Config& config) -> Slot { return &config.paths.wake_directory; }},
    {{"metrics.textfile", Type::path, "",
      "Where an awake worker writes its metrics for node_exporter: a file that ends in .prom, or a directory, for "
      "dormouse_POOL.prom in it; without it, nowhere."},
     "",
     [](Config& config) -> Slot { return &config.metrics.textfile; }},
    {{"metrics.listen", Type::listen, "",
      "Where an awake worker serves its metrics at GET /metrics; a scrape neither wakes a pool nor keeps it awake; "
      "without it, nowhere."},
     "",
     [](Config& config) -> Slot { return &config.metrics.listen; }},
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
