#include "config/variables.h"

#include <algorithm>

#include "config/text.h"

namespace dormouse::config {
namespace {

constexpr std::size_t longest_variable = 200;
constexpr std::string_view private_prefixes[] = {"DORMOUSE_", "LISTEN_", "WATCHDOG_"};
constexpr std::string_view private_names[] = {"NOTIFY_SOCKET",    "INVOCATION_ID",         "JOURNAL_STREAM",
                                              "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
                                              "TRACEPARENT"};

bool is_private(std::string_view name) {
    return std::any_of(std::begin(private_prefixes), std::end(private_prefixes),
                       [&](auto prefix) { return name.starts_with(prefix); }) ||
           std::find(std::begin(private_names), std::end(private_names), name) != std::end(private_names);
}

bool is_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && name.size() <= longest_variable && letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

Status read_variables(const Value& table, Variables& variables, int& line) {
    line = table.line;
    if (table.kind != Value::Kind::table)
        return fail(ErrorKind::invalid, R"(expected a table, such as { LANG = "C.UTF-8" })");
    for (const auto& [name, value] : table.entries) {
        line = value.line;
        if (!is_name(name) || is_private(name))
            return fail(ErrorKind::invalid,
                        "found the name " + quote(name) +
                            ", expected letters, digits and _, and none that systemd or dormouse sets");
        if (value.kind != Value::Kind::text || value.text.find('\0') != std::string::npos)
            return fail(ErrorKind::invalid, named(name) + ": expected a text in quotes");
        variables[name] = value.text;
    }
    return {};
}

bool is_passed(std::string_view name, const std::vector<std::string>& patterns) {
    if (is_private(name)) return false;
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return pattern.ends_with('*') ? name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1))
                                      : name == pattern;
    });
}

void resolve_variables(Config& config, const std::map<std::string, std::string>& environment) {
    for (auto& [name, task] : config.tasks) {
        task.variables.clear();
        for (const auto& [variable, value] : environment)
            if (is_passed(variable, config.worker.pass_environment) || is_passed(variable, task.pass_environment))
                task.variables[variable] = value;
        for (const auto& [variable, value] : config.environment) task.variables[variable] = value;
        for (const auto& [variable, value] : task.environment) task.variables[variable] = value;
    }
}

}  // namespace dormouse::config
