#include "config/tasks.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/duration.h"
#include "config/options.h"
#include "config/text.h"

namespace dormouse::config {

namespace {

constexpr std::int64_t year = 365LL * 24 * 3600 * 1000;
constexpr std::size_t longest_name = 200;

constexpr TaskKey table[] = {
    {{"handler", Type::handler, "exec",
      "How runs of this task are executed: exec, a process for each; in_process, a function of the program that is "
      "this "
      "pool's worker, and implied for those that it has registered."},
     [](Task& task) -> Slot { return &task.handler; }},
    {{"command", Type::arguments, "", "The program and its arguments; no shell sees them. Required with exec."},
     [](Task& task) -> Slot { return &task.command; }},
    {{"working_directory", Type::path, "", "Where the command starts; without it, where the worker does."},
     [](Task& task) -> Slot { return &task.working_directory; }},
    {{"environment_file", Type::path, "",
      "NAME=value lines for the command's environment, beside the small, listed one that every handler "
      "gets."},
     [](Task& task) -> Slot { return &task.environment_file; }},
    {{"timeout", Type::duration, "1h", "How long one attempt may take before its process tree is ended; 0 is never.", 0,
      year, "never"},
     [](Task& task) -> Slot { return &task.timeout; }},
    {{"max_attempts", Type::integer, "5", "How many attempts a run gets before it has failed.", 1, 1000},
     [](Task& task) -> Slot { return &task.max_attempts; }},
    {{"snooze_counts", Type::boolean, "false",
      "Whether an attempt that asks to be tried again later (exit 75) uses one up."},
     [](Task& task) -> Slot { return &task.snooze_counts; }},
    {{"backoff.base", Type::duration, "5s", "The pause before the second attempt; doubled each time, with full jitter.",
      0, year},
     [](Task& task) -> Slot { return &task.backoff.base; }},
    {{"backoff.max", Type::duration, "10min", "The longest pause between two attempts.", 0, year},
     [](Task& task) -> Slot { return &task.backoff.max; }},
};

/// What read_tasks() works on, and the name of the task it is at.
struct Reader {
    const std::string& file;
    const std::vector<std::string>& functions;
    std::map<std::string, std::string>& origins;
    std::string name;

    [[nodiscard]] tl::unexpected<Error> refused(const Value& value, const std::string& key,
                                                const std::string& why) const {
        return fail(ErrorKind::invalid, file + ":" + std::to_string(value.line) + ": " + key + ": " + why);
    }

    [[nodiscard]] std::string full(std::string_view key) const { return "task." + name + "." + std::string(key); }

    Status read_key(Task& task, const std::string& key, const Value& value) {
        for (const TaskKey& known : table) {
            if (known.key.name != key) continue;
            if (Status done = assign(known.key, known.slot(task), value); !done)
                return refused(value, full(key), done.error().message);
            origins[full(key)] = "file " + file + ":" + std::to_string(value.line);
            return {};
        }
        std::vector<std::string> known;
        for (const TaskKey& one : table) known.emplace_back(one.key.name);
        return refused(value, full(named(key)), unknown("key", key, known));
    }

    /// A function of this program has no command, and everything else has one.
    Status check_handler(Task& task, const Value& value) {
        const bool registered = std::find(functions.begin(), functions.end(), name) != functions.end();
        const bool written = origins.contains(full("handler"));
        if (registered && written && task.handler != HandlerKind::in_process)
            return refused(value, full("handler"),
                           "this program has a function for the task; remove the line, or do not register it");
        if (registered) task.handler = HandlerKind::in_process;
        if (task.handler != HandlerKind::in_process) {
            if (!task.command.empty()) return {};
            return refused(value, full("command"), R"(is missing; add command = ["/path/to/program"])");
        }
        for (const char* key : {"command", "working_directory", "environment_file"})
            if (origins.contains(full(key)))
                return refused(value, full(key),
                               "the task is a function of a program (in_process), which starts no other; remove it");
        return {};
    }

    Status read_task(Task& task, const Value& value) {
        for (const auto& [key, entry] : value.entries) {
            if (key != "backoff") {
                if (Status done = read_key(task, key, entry); !done) return done;
                continue;
            }
            if (entry.kind != Value::Kind::table)
                return refused(entry, full(key), R"(expected a table, such as { base = "5s", max = "10min" })");
            for (const auto& [part, part_value] : entry.entries)
                if (Status done = read_key(task, "backoff." + part, part_value); !done) return done;
        }
        if (Status done = check_handler(task, value); !done) return done;
        if (task.backoff.base > task.backoff.max)
            return refused(value, full("backoff"),
                           "base (" + duration_text(task.backoff.base) + ") is longer than max (" +
                               duration_text(task.backoff.max) + "); raise max or lower base");
        return {};
    }
};

}  // namespace

std::span<const TaskKey> task_keys() {
    return table;
}

void add_functions(Config& config, const std::vector<std::string>& functions) {
    for (const std::string& name : functions) {
        Task& task = config.tasks[name];
        task.name = name;
        task.handler = HandlerKind::in_process;
    }
}

Status read_tasks(const Value& tasks, const std::string& file, const std::vector<std::string>& functions,
                  Config& config, std::map<std::string, std::string>& origins) {
    Reader reader{file, functions, origins, {}};
    if (tasks.kind != Value::Kind::table)
        return reader.refused(tasks, "task", "expected a table for each: [task.NAME]");
    for (const auto& [name, value] : tasks.entries) {
        if (name.empty() || name.size() > longest_name || !printable(name))
            return reader.refused(value, "task",
                                  "found the name " + quote(name) + ", expected 1 to 200 printable bytes");
        if (value.kind != Value::Kind::table)
            return reader.refused(value, "task." + name, "expected a table: [task.NAME], with NAME the task's name");
        reader.name = name;
        Task task;
        task.name = name;
        if (Status done = reader.read_task(task, value); !done) return done;
        config.tasks.emplace(name, std::move(task));
    }
    return {};
}

}  // namespace dormouse::config
