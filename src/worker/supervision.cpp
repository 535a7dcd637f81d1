#include "worker/supervision.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/process.h"
#include "config/local_pools.h"
#include "config/options.h"

namespace dormouse::worker {
namespace {

std::string environment_value(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// One of those that are there, separated by colons.
bool is_listed(std::string_view list, const std::string& path) {
    return (":" + std::string(list) + ":").find(":" + path + ":") != std::string::npos;
}

bool is_the_main_process() {
    const std::string main = environment_value("SYSTEMD_EXEC_PID");
    return main.empty() || main == std::to_string(::getpid());
}

}  // namespace

std::string state_directory() {
    const std::string all = environment_value("STATE_DIRECTORY");
    return all.substr(0, all.find(':'));
}

std::optional<Supervision> supervision_of(const config::Sources& sources) {
    const std::string given = environment_value("RUNTIME_DIRECTORY");
    const std::string own = config::defaults().paths.runtime_directory;
    const std::string named = config::default_runtime_directory(sources.environment);
    const auto is_given = [&](const std::string& directory) {
        return is_listed(given, directory + "/" + sources.pool);
    };
    const bool of_our_unit =
        is_given(own) && unit_of(this_process) == "dormouse@" + sources.pool + ".service" && is_the_main_process();
    if (!of_our_unit && (named == own || !is_given(named))) return std::nullopt;
    return Supervision{of_our_unit ? own : named, state_directory()};
}

}  // namespace dormouse::worker
