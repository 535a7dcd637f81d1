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
};

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

}  // namespace

std::vector<std::string> odd_variables(const std::map<std::string, std::string>& environment) {
    std::vector<std::string> lines;
    for (const Replaced& one : replaced)
        if (environment.contains(std::string(one.name)))
            lines.push_back("environment " + std::string(one.name) + " is ignored: " + std::string(one.by));
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
