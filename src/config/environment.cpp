#include "config/environment.h"

#include <algorithm>
#include <string_view>

#include "config/options.h"
#include "config/text.h"

namespace dormouse::config {

namespace {

constexpr std::string_view variable_prefix = "DORMOUSE_";
constexpr std::size_t most_typos = 3;

struct Replaced {
    std::string_view name;
    std::string_view by;
};

constexpr Replaced replaced[] = {
    {"WORKER_POLL_INTERVAL",
     "workers do not poll: NOTIFY wakes one that is awake, a doorbell one that sleeps; wake.max_sleep bounds the sleep "
     "where neither can reach it"},
    {"WORKER_MAX_LOOPS",
     "a worker leaves when its queues are quiet (worker.idle_exit); in the foreground: --drain, --max-runs"},
    {"WORKER_HEARTBEAT_INTERVAL", "a worker extends the leases of its runs by itself, at a third of worker.lease"},
    {"WORKER_SHUTDOWN_TIMEOUT", "use worker.shutdown_grace"},
    {"WORKER_MAX_RETRIES", "use max_attempts under [task.NAME]"},
    {"WORKER_TIMEOUT", "use timeout under [task.NAME]"},
    {"HEARTBEAT_MONITOR_INTERVAL",
     "workers are not polled: runs are taken back when a worker dies or its lease expires (worker.lease), "
     "and problems are reported at once ([alerts]); an external monitor can watch alive_url"},
};

/// Where settings of the workers before dormouse are, and nobody else's of a host are likely to be.
constexpr std::string_view old_prefixes[] = {"WORKER_", "AGENTEXEC_", "HEARTBEAT_MONITOR_"};
/// Kubernetes sets them for a Service that is called worker.
constexpr std::string_view of_kubernetes[] = {"WORKER_SERVICE_", "WORKER_PORT"};

/// Our options' variables. What handlers are given (DORMOUSE_RUN_ID, DORMOUSE_FENCE, …) is in no section of
/// ours.
std::vector<std::string> known_variables() {
    std::vector<std::string> names;
    for (const Option& option : options()) names.push_back(environment_name(option));
    return names;
}

bool in_section_of_ours(const std::string& name, const std::vector<std::string>& known) {
    return std::any_of(known.begin(), known.end(), [&](const std::string& one) {
        return name.starts_with(one.substr(0, one.find('_', variable_prefix.size()) + 1));
    });
}

template <typename Prefixes>
bool starts_with_one(std::string_view name, const Prefixes& prefixes) {
    return std::any_of(std::begin(prefixes), std::end(prefixes),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_read(const std::string& name) {
    return std::any_of(options().begin(), options().end(), [&](const Option& option) {
        const std::vector<std::string> names = environment_names(option);
        return std::find(names.begin(), names.end(), name) != names.end();
    });
}

bool is_a_handlers(const std::string& name, const Config& config) {
    return std::any_of(config.tasks.begin(), config.tasks.end(),
                       [&](const auto& task) { return task.second.variables.contains(name); });
}

/// What there is instead of an old variable that is not read; empty: it is none.
std::string instead_of(const std::string& name, const Config& config) {
    for (const Replaced& one : replaced)
        if (one.name == name) return std::string(one.by);
    if (!starts_with_one(name, old_prefixes) || starts_with_one(name, of_kubernetes)) return "";
    if (is_read(name) || is_a_handlers(name, config)) return "";
    const std::string ours = std::string(variable_prefix) + name;
    for (const Option& option : options())
        if (environment_name(option) == ours) return "use " + std::string(option.key.name) + ", or " + ours;
    return "no option has this name; see `dormouse config --reference`, and for a variable of a handler pass_environment";
}

}  // namespace

std::vector<std::string> odd_variables(const std::map<std::string, std::string>& environment, const Config& config) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : environment) {
        const std::string instead = value.empty() ? "" : instead_of(name, config);
        if (!instead.empty()) lines.push_back("environment " + named(name) + " is ignored: " + instead);
    }
    const std::vector<std::string> known = known_variables();
    for (const auto& [name, value] : environment) {
        if (!name.starts_with(variable_prefix) || name == "DORMOUSE_CONFIG_DIR" || name.starts_with("DORMOUSE_RUN_"))
            continue;
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        const std::string near = nearest(name, known);
        const bool mistyped = !near.empty() && edit_distance(name, near) <= most_typos;
        if (!mistyped && !in_section_of_ours(name, known)) continue;
        const std::string hint = "did you mean " + near + "?";
        lines.push_back("environment " + named(name) +
                        " is ignored: " + (mistyped ? hint : "no option has this name; see `dormouse config`"));
    }
    return lines;
}

}  // namespace dormouse::config
