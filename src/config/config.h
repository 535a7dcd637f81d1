// The configuration of one pool, as plain values. Made by config::load from flags, environment, file and
// defaults (options.h is the one table they all come from); read by everybody above, changed by nobody.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace dormouse::config {

struct Backoff {
    Millis base{5'000};
    Millis max{600'000};
    bool operator==(const Backoff&) const = default;
};

enum class HandlerKind { exec, warm, in_process };
/// What stdout of an exec handler is.
enum class Output { result, log, both };

/// What of /home, /root and /run/user there is.
enum class Home { none, read_only, read_write };

/// What a task needs of the sandbox of its pool's unit (systemd/sandbox.h); the defaults are what the unit gives.
struct Sandbox {
    Home home = Home::none;
    std::vector<std::string> write;    ///< paths
    std::vector<std::string> devices;  ///< "/dev/ttyS0", or a group of /proc/devices: "char-drm"
    bool ownership = false;            ///< chown, chgrp, setgid directories
    bool priority = false;             ///< nice, ionice, processor affinity
    bool netlink = false;              ///< interfaces and addresses of this host
    bool shared_tmp = false;           ///< the host's /tmp
    bool namespaces = false;           ///< user namespaces
    bool privileges = false;           ///< setuid and setgid programs work
    bool network = true;               ///< no need: without it the process is kept from the network, whatever the unit
    bool operator==(const Sandbox&) const = default;
};

/// NAME to value of environment variables. Values may be secrets: never print them.
using Variables = std::map<std::string, std::string>;

/// One [task.NAME] table.
struct Task {
    std::string name;
    HandlerKind handler = HandlerKind::exec;
    std::vector<std::string> command;  ///< argument vector; command[0] is a path or is looked up in PATH
    std::string working_directory;     ///< empty: the worker's
    std::string environment_file;      ///< empty: nothing besides the next three and the small, listed environment
    Variables environment;             ///< what the file sets
    std::vector<std::string> pass_environment;  ///< names of the worker's own variables; "NAME*"
    Variables variables;                        ///< what comes of the two, and of those of the pool
    Millis timeout{3'600'000};                  ///< 0: none
    Millis grace{10'000};                       ///< for a handler to end by itself after it
    int max_attempts = 5;
    int concurrency = 0;          ///< at most so many attempts of it at once in a worker; 0: worker.concurrency
    std::int64_t memory_max = 0;  ///< bytes for a handler's process tree; 0: no limit. So the next two
    int cpu_weight = 0;           ///< 1 to 10,000, 100 is everybody else's; 0: 100
    int pids_max = 0;             ///< processes and threads
    Output output = Output::result;
    bool snooze_counts = false;  ///< an attempt that asks to be tried again later uses one up
    Backoff backoff;
    Millis expires{0};           ///< a run that has been due for longer is not begun; 0: never
    std::string on_failure;      ///< the task of the run that is enqueued when one has failed for good; empty: none
    std::string alive_url;       ///< is fetched after a run has completed; empty: none. Secret
    std::string alive_url_file;  ///< holds it instead
    int umask = -1;              ///< of its processes; -1: the worker's
    Sandbox sandbox;
    // of warm, and the same in all tasks that share their processes:
    int processes = 0;                ///< most of them; 0: as many as the worker executes runs at once
    Millis warm_idle{60'000};         ///< one without a run is ended after so long; 0: never
    Millis start_timeout{30'000};     ///< until it has said hello
    int recycle_runs = 0;             ///< after so many runs it is replaced; 0: never
    std::int64_t recycle_memory = 0;  ///< bytes resident after a run, above which it is replaced; 0: never
    bool operator==(const Task&) const = default;
};

struct Database {
    std::string url;                 ///< libpq URL or keyword string. Secret: never print it, see config::redacted()
    std::string passfile;            ///< the systemd credential "pgpass"; empty: libpq's own search
    Millis connect_timeout{10'000};  ///< for each address that is tried
    Millis close_after{0};           ///< the session of a worker that needs none is closed after so long; 0: never
    Millis retry_max{300'000};       ///< the longest pause between two tries while the database cannot be had
    bool operator==(const Database&) const = default;
};

struct WorkerSection {
    std::vector<std::string> queues{"default"};  ///< strict order
    int concurrency = 4;
    int batch_size = 0;           ///< a cap on one claim; 0: follows the load
    Millis idle_exit{1'800'000};  ///< 0: never
    Millis look_exit{60'000};
    Millis lease{300'000};
    Millis shutdown_grace{30'000};
    std::vector<std::string> pass_environment;  ///< as Task::pass_environment, for all tasks
    bool operator==(const WorkerSection&) const = default;
};

struct Wake {
    bool promises = true;  ///< wake.notify = when_needed
    Millis max_sleep{0};   ///< 0: off
    bool operator==(const Wake&) const = default;
};

struct RetentionSection {
    Millis finished{2'592'000'000};  ///< 0: never
    bool operator==(const RetentionSection&) const = default;
};

struct Limits {
    std::int64_t payload_bytes = 1 << 20;
    std::int64_t result_bytes = 1 << 20;
    std::int64_t log_bytes = 1 << 16;  ///< of an attempt: stderr and log messages
    bool operator==(const Limits&) const = default;
};

/// Who is told of what a person has to see to; see docs/alerts.md.
struct Alerts {
    std::vector<std::string> command;  ///< is given each message as JSON on stdin; empty: none
    std::string webhook;               ///< URL. Secret: whoever knows it may post there
    std::string webhook_file;          ///< holds the URL instead
    std::vector<std::string> mail_to;
    std::string mail_from;
    std::string smtp_host = "localhost";
    int smtp_port = 587;
    std::string smtp_user;           ///< empty: no login
    std::string smtp_password;       ///< Secret
    std::string smtp_password_file;  ///< holds it instead
    std::string ca_file;             ///< who vouches for those servers; empty: whom the host trusts
    Millis database_lost{300'000};   ///< 0: not told
    Millis backlog_age{300'000};     ///< a run has been due for so long; 0: not told
    Millis gather{10'000};           ///< what happens within that goes in one message
    Millis repeat{3'600'000};        ///< of one kind of trouble at most one message in that time
    std::string alive_url;           ///< is fetched while the worker is awake; empty: none. Secret
    std::string alive_url_file;      ///< holds it instead
    Millis alive_every{300'000};

    /// Whether somebody is told of trouble.
    [[nodiscard]] bool any() const {
        return !command.empty() || !webhook.empty() || !webhook_file.empty() || !mail_to.empty();
    }
    bool operator==(const Alerts&) const = default;
};

struct Paths {
    std::string runtime_directory = "/run/dormouse";      ///< POOL.sock, POOL.failures, POOL/due, POOL/spool
    std::string spool_directory = "/var/spool/dormouse";  ///< POOL/ and POOL.rejected/ lie there
    std::string wake_directory = "/run/dormouse.wake";    ///< POOL, if Postgres on this host writes wake files
    bool operator==(const Paths&) const = default;
};

struct Metrics {
    std::string textfile;  ///< a file for node_exporter, or a directory for it; empty: none
    std::string listen;    ///< a unix socket's path or a loopback address with a port; empty: nowhere
    [[nodiscard]] bool wanted() const { return !textfile.empty() || !listen.empty(); }
    bool operator==(const Metrics&) const = default;
};

struct Traces {
    std::string file;  ///< to which a span is written for each attempt, as OTLP/JSON; empty: none
    bool operator==(const Traces&) const = default;
};

struct Config {
    std::string pool;
    std::string file;  ///< where it was read from; empty: no file
    Database database;
    WorkerSection worker;
    Wake wake;
    RetentionSection retention;
    Limits limits;
    Alerts alerts;
    Paths paths;
    Metrics metrics;
    Traces traces;
    Variables environment;  ///< [environment]: of all handlers
    std::map<std::string, Task> tasks;
    bool operator==(const Config&) const = default;
};

}  // namespace dormouse::config
