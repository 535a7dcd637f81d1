#include "config/tasks.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "config/duration.h"
#include "config/options.h"
#include "config/text.h"
#include "config/variables.h"

namespace dormouse::config {

namespace {

constexpr std::int64_t year = 365LL * 24 * 3600 * 1000;
constexpr std::size_t longest_task_name = 200;

constexpr TaskKey task_key_table[] = {
    {{"handler", Type::handler, "exec",
      "How runs of this task are executed. exec: one process per run. warm: processes that stay and "
      "execute one run after another. in_process: a function of the program that is this pool's worker; "
      "implied for functions that it registers."},
     [](Task& task) -> Slot { return &task.handler; }},
    {{"command", Type::arguments, "", "The program and its arguments, without a shell. Required with exec."},
     [](Task& task) -> Slot { return &task.command; }},
    {{"working_directory", Type::path, "", "The working directory of the command. Defaults to that of the worker."},
     [](Task& task) -> Slot { return &task.working_directory; }},
    {{"environment_file", Type::path, "",
      "A file of NAME=value lines for the command's environment, in addition to the standard variables."},
     [](Task& task) -> Slot { return &task.environment_file; }},
    {{"pass_environment", Type::names, "",
      "Variables of the worker's own environment to pass to the command, like worker.pass_environment. To "
      "set variables, use environment = { NAME = \"value\" }, or [environment] for all tasks.",
      0, 200},
     [](Task& task) -> Slot { return &task.pass_environment; }},
    {{"timeout", Type::duration, "1h", "How long an attempt may take before its process tree is killed; 0: no limit.",
      0, year, "never"},
     [](Task& task) -> Slot { return &task.timeout; }},
    {{"grace", Type::duration, "10s",
      "The time between SIGTERM (for warm handlers, a cancel message) and SIGKILL when an attempt times "
      "out or its run is canceled; 0: none. When the worker exits, it is always 10s.",
      0, 3'600'000},
     [](Task& task) -> Slot { return &task.grace; }},
    {{"max_attempts", Type::integer, "5", "How many attempts a run has before it fails for good.", 1, 1000},
     [](Task& task) -> Slot { return &task.max_attempts; }},
    {{"concurrency", Type::integer, "0",
      "How many runs of this task a worker executes at once; 0: as many as worker.concurrency allows.", 0, 10'000},
     [](Task& task) -> Slot { return &task.concurrency; }},
    {{"memory_max", Type::bytes, "0",
      "The memory limit of a handler's process tree, which the kernel kills when it exceeds the limit; 0: "
      "no limit. Needs a unit with Delegate=yes and the memory controller.",
      0, 1LL << 50},
     [](Task& task) -> Slot { return &task.memory_max; }},
    {{"cpu_weight", Type::integer, "0",
      "The CPU weight of a handler's process tree, from 1 to 10000; 0 means 100, the default of all.", 0, 10'000},
     [](Task& task) -> Slot { return &task.cpu_weight; }},
    {{"pids_max", Type::integer, "0",
      "The maximum number of processes and threads in a handler's process tree; 0: no limit.", 0, 4'194'304},
     [](Task& task) -> Slot { return &task.pids_max; }},
    {{"stdout", Type::output, "result",
      "exec: how to use stdout. result: the run's result, up to limits.result_bytes; if the run fails, the "
      "log. log: lines of the log, like stderr, for programs that print their progress. both: the result, "
      "and lines of the log."},
     [](Task& task) -> Slot { return &task.output; }},
    {{"snooze_counts", Type::boolean, "false", "Whether \"retry later\" (exit code 75) counts as an attempt."},
     [](Task& task) -> Slot { return &task.snooze_counts; }},
    {{"expires", Type::duration, "never",
      "A run that has been due for longer than this (since run_at) is not started, but fails with the "
      "class expired. Applies only before the first attempt: retries never expire.",
      0, year, "never"},
     [](Task& task) -> Slot { return &task.expires; }},
    {{"on_failure", Type::name, "",
      "A task of this file. When a run fails for good, a run of that task is enqueued in the same "
      "transaction, into the same queue. That task may not have an on_failure itself."},
     [](Task& task) -> Slot { return &task.on_failure; }},
    {{"alive_url", Type::url, "",
      "A URL that is fetched after a run of this task has completed, at most once in 30 s: a service such as "
      "healthchecks.io raises the alarm when that stays away. A secret; see docs/alerts.md."},
     [](Task& task) -> Slot { return &task.alive_url; }},
    {{"alive_url_file", Type::path, "", "A file that holds the URL instead."},
     [](Task& task) -> Slot { return &task.alive_url_file; }},
    {{"umask", Type::umask, "",
      "The umask of the command, in octal: with \"0022\" everybody can read the files that it creates, "
      "with \"0027\" its group. Defaults to the worker's, which is 0077 in its unit."},
     [](Task& task) -> Slot { return &task.umask; }},
    {{"sandbox.home", Type::home, "none",
      "Access to /home, /root and /run/user. This and the next eight keys declare what the command needs "
      "in the sandbox of the pool's unit, which all tasks of the pool share; `dormouse sandbox POOL "
      "--install` grants it."},
     [](Task& task) -> Slot { return &task.sandbox.home; }},
    {{"sandbox.write", Type::paths, "",
      "Paths that the command writes to, in addition to its state directory and /tmp.", 0, 4095},
     [](Task& task) -> Slot { return &task.sandbox.write; }},
    {{"sandbox.devices", Type::devices, "", "Devices, or groups of /proc/devices, that the command opens.", 0, 4095},
     [](Task& task) -> Slot { return &task.sandbox.devices; }},
    {{"sandbox.ownership", Type::boolean, "false",
      "Whether the command may change the group of files (chgrp, rsync -a) and create setgid directories "
      "(git --shared)."},
     [](Task& task) -> Slot { return &task.sandbox.ownership; }},
    {{"sandbox.priority", Type::boolean, "false", "Whether the command may use nice, ionice and CPU affinity."},
     [](Task& task) -> Slot { return &task.sandbox.priority; }},
    {{"sandbox.netlink", Type::boolean, "false",
      "Whether the command may list interfaces and addresses of the host (ip, os.networkInterfaces())."},
     [](Task& task) -> Slot { return &task.sandbox.netlink; }},
    {{"sandbox.shared_tmp", Type::boolean, "false", "Whether /tmp is the host's instead of the unit's private one."},
     [](Task& task) -> Slot { return &task.sandbox.shared_tmp; }},
    {{"sandbox.namespaces", Type::boolean, "false",
      "Whether the command may create user namespaces (browsers, bwrap, rootless containers)."},
     [](Task& task) -> Slot { return &task.sandbox.namespaces; }},
    {{"sandbox.privileges", Type::boolean, "false",
      "Whether setuid and setgid programs work (sudo, crontab, sendmail). This removes most of the "
      "sandbox; see docs/sandbox.md."},
     [](Task& task) -> Slot { return &task.sandbox.privileges; }},
    {{"sandbox.network", Type::boolean, "true",
      "Whether the command may make sockets of the network; false needs nothing of the unit, and keeps "
      "setuid programs and other architectures' programs from working in this task."},
     [](Task& task) -> Slot { return &task.sandbox.network; }},
    {{"backoff.base", Type::duration, "5s",
      "The backoff before the second attempt; doubled for each further one, with full jitter.", 0, year},
     [](Task& task) -> Slot { return &task.backoff.base; }},
    {{"backoff.max", Type::duration, "10min", "The longest backoff between two attempts.", 0, year},
     [](Task& task) -> Slot { return &task.backoff.max; }},
    {{"processes", Type::integer, "0",
      "warm: the maximum number of processes; 0: as many as the worker executes runs at once. Tasks with "
      "the same command, working_directory and environment (environment_file, environment, "
      "pass_environment) share processes, and must agree on this, the next four keys, memory_max, "
      "cpu_weight, pids_max, umask and sandbox.network.",
      0, 10'000},
     [](Task& task) -> Slot { return &task.processes; }},
    {{"warm_idle", Type::duration, "60s", "warm: how long a process stays without a run.", 0, year, "never"},
     [](Task& task) -> Slot { return &task.warm_idle; }},
    {{"start_timeout", Type::duration, "30s", "warm: how long a process may take to send its hello.", 1, year},
     [](Task& task) -> Slot { return &task.start_timeout; }},
    {{"recycle_runs", Type::integer, "0", "warm: a process is replaced after this many runs; 0: never.", 0,
      1'000'000'000},
     [](Task& task) -> Slot { return &task.recycle_runs; }},
    {{"recycle_memory", Type::bytes, "0",
      "warm: a process that uses more memory than this after a run is replaced; 0: never.", 0, 1LL << 50},
     [](Task& task) -> Slot { return &task.recycle_memory; }},
};

constexpr std::string_view of_warm_processes[] = {"processes",      "warm_idle",      "start_timeout", "recycle_runs",
                                                  "recycle_memory", "memory_max",     "cpu_weight",    "pids_max",
                                                  "umask",          "sandbox.network"};

bool share_processes(const Task& one, const Task& other) {
    return one.handler == HandlerKind::warm && other.handler == HandlerKind::warm && one.command == other.command &&
           one.working_directory == other.working_directory && one.environment_file == other.environment_file &&
           one.environment == other.environment && one.pass_environment == other.pass_environment;
}

/// What read_tasks() works on, and the name of the task it is at.
struct Reader {
    const std::string& file;
    const Functions& functions;
    std::map<std::string, std::string>& origins;
    std::string name;

    [[nodiscard]] tl::unexpected<Error> refused(const Value& value, const std::string& key,
                                                const std::string& why) const {
        return fail(ErrorKind::invalid, file + ":" + std::to_string(value.line) + ": " + key + ": " + why);
    }

    [[nodiscard]] std::string full(std::string_view key) const { return "task." + name + "." + std::string(key); }

    Status read_key(Task& task, const std::string& key, const Value& value) {
        for (const TaskKey& known : task_key_table) {
            if (known.key.name != key) continue;
            if (Status done = assign(known.key, known.slot(task), value); !done)
                return refused(value, full(key), done.error().message);
            origins[full(key)] = "file " + file + ":" + std::to_string(value.line);
            return {};
        }
        if (key == "sandbox.user")
            return refused(value, full(key),
                           "a worker has no privileges to change its account; give the task a pool of its own, with "
                           "User= in a drop-in of its unit (docs/several-pools.md, \"A pool with an account of its "
                           "own\")");
        std::vector<std::string> known;
        for (const TaskKey& one : task_key_table) known.emplace_back(one.key.name);
        known.emplace_back("environment");
        return refused(value, full(named(key)), unknown("key", key, known));
    }

    /// `other` was read before.
    Status check_agreement(Task& task, Task& other, const Value& value) const {
        if (!share_processes(task, other)) return {};
        for (const TaskKey& known : task_key_table) {
            const auto& names = of_warm_processes;
            if (std::find(std::begin(names), std::end(names), known.key.name) == std::end(names)) continue;
            const std::string here = shown(known.key, known.slot(task));
            const std::string there = shown(known.key, known.slot(other));
            if (here == there) continue;
            return refused(value, full(known.key.name),
                           "is " + here + ", but " + there + " in task." + other.name +
                               ", which shares its processes (same command); write the same in both");
        }
        return {};
    }

    /// A function of this program has no command, and everything else has one.
    Status check_handler(Task& task, const Value& value) {
        const auto& names = functions.names;
        const bool registered = std::find(names.begin(), names.end(), name) != names.end();
        const bool written = origins.contains(full("handler"));
        if (registered && written && task.handler != HandlerKind::in_process)
            return refused(value, full("handler"),
                           "this program has a function for the task; remove the line, or do not register it");
        const bool of_another = functions.may_be_others && !written && task.command.empty();
        if (registered || of_another) task.handler = HandlerKind::in_process;
        if (task.handler != HandlerKind::in_process) {
            if (!task.command.empty()) return {};
            return refused(value, full("command"), R"(is missing; add command = ["/path/to/program"])");
        }
        for (const char* key : {"command", "working_directory", "environment_file", "environment", "pass_environment",
                                "stdout", "umask", "sandbox.network"})
            if (origins.contains(full(key)))
                return refused(value, full(key),
                               "the task is a function of a program (in_process), which starts no other; remove it");
        return {};
    }

    /// A path that can be written has to be there at all.
    Status check_sandbox(const Task& task, const Value& value) const {
        if (!task.sandbox.network && task.sandbox.privileges)
            return refused(value, full("sandbox.network"),
                           "is false, and no setuid program works then, so privileges = true gives this task nothing; "
                           "leave one out");
        if (task.sandbox.home != Home::none) return {};
        for (const std::string& path : task.sandbox.write)
            for (const char* const hidden : {"/home/", "/root/", "/run/user/"})
                if ((path + "/").starts_with(hidden))
                    return refused(value, full("sandbox.write"),
                                   path + R"( is hidden by home = "none"; add home = "read-only")");
        return {};
    }

    Status read_task(Task& task, const Value& value) {
        for (const auto& [key, entry] : value.entries) {
            if (key == "environment") {
                int line = 0;
                if (Status done = read_variables(entry, task.environment, line); !done)
                    return fail(ErrorKind::invalid,
                                file + ":" + std::to_string(line) + ": " + full(key) + ": " + done.error().message);
                origins[full(key)] = "file " + file + ":" + std::to_string(entry.line);
                continue;
            }
            if (key != "backoff" && key != "sandbox") {
                if (Status done = read_key(task, key, entry); !done) return done;
                continue;
            }
            if (entry.kind != Value::Kind::table)
                return refused(entry, full(key),
                               key == "backoff" ? R"(expected a table, such as { base = "5s", max = "10min" })"
                                                : R"(expected a table, such as { write = ["/srv/out"] })");
            for (const auto& [part, part_value] : entry.entries)
                if (Status done = read_key(task, key + "." + part, part_value); !done) return done;
        }
        if (Status done = check_handler(task, value); !done) return done;
        if (Status done = check_sandbox(task, value); !done) return done;
        if (task.backoff.base > task.backoff.max)
            return refused(value, full("backoff"),
                           "base (" + duration_text(task.backoff.base) + ") is longer than max (" +
                               duration_text(task.backoff.max) + "); raise max or lower base");
        return {};
    }

    /// Once all tasks are known.
    Status check_on_failure(const Task& task, const Config& config, const Value& value) const {
        if (task.on_failure.empty()) return {};
        const auto next = config.tasks.find(task.on_failure);
        if (next == config.tasks.end())
            return refused(value, full("on_failure"),
                           "there is no [task." + task.on_failure + "] in this file, and this pool is to execute it");
        if (next->second.on_failure.empty()) return {};
        return refused(value, full("on_failure"),
                       "task." + task.on_failure +
                           " has an on_failure itself, and a failure that enqueues what fails might never end; remove "
                           "one of the two");
    }
};

}  // namespace

std::span<const TaskKey> task_keys() {
    return task_key_table;
}

void add_functions(Config& config, const std::vector<std::string>& functions) {
    for (const std::string& name : functions) {
        Task& task = config.tasks[name];
        task.name = name;
        task.handler = HandlerKind::in_process;
    }
}

Status read_tasks(const Value& tasks, const std::string& file, const Functions& functions, Config& config,
                  std::map<std::string, std::string>& origins) {
    Reader reader{file, functions, origins, {}};
    if (tasks.kind != Value::Kind::table)
        return reader.refused(tasks, "task", "expected a table for each: [task.NAME]");
    for (const auto& [name, value] : tasks.entries) {
        if (name.empty() || name.size() > longest_task_name || !printable(name))
            return reader.refused(value, "task",
                                  "found the name " + quote(name) + ", expected 1 to 200 printable bytes");
        if (value.kind != Value::Kind::table)
            return reader.refused(value, "task." + name, "expected a table: [task.NAME], with NAME the task's name");
        reader.name = name;
        Task task;
        task.name = name;
        if (Status done = reader.read_task(task, value); !done) return done;
        for (auto& [other_name, other] : config.tasks)
            if (Status done = reader.check_agreement(task, other, value); !done) return done;
        config.tasks.emplace(name, std::move(task));
    }
    for (const auto& [name, value] : tasks.entries) {
        reader.name = name;
        if (Status done = reader.check_on_failure(config.tasks.at(name), config, value); !done) return done;
    }
    return {};
}

}  // namespace dormouse::config
