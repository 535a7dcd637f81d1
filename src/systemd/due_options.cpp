#include "systemd/due_options.h"

#include "base/pool_name.h"
#include "systemd/due_file.h"

namespace dormouse::systemd {

std::optional<DueOptions> parse_due_options(const std::vector<std::string>& arguments) {
    DueOptions options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--user") {
            options.user = true;
            continue;
        }
        std::string* value = nullptr;
        if (argument == "--runtime-directory") value = &options.runtime_directory;
        if (argument == "--unit") value = &options.unit;
        if (argument == "--target") value = &options.target;
        if (value != nullptr) {
            if (i + 1 == arguments.size() || arguments[i + 1].empty()) return std::nullopt;
            *value = arguments[++i];
        } else if (options.pool.empty() && valid_pool_name(argument)) {
            options.pool = argument;
        } else {
            return std::nullopt;
        }
    }
    if (options.pool.empty()) return std::nullopt;
    if (options.unit.empty()) options.unit = "dormouse@" + options.pool + ".service";
    if (options.target.empty()) options.target = "dormouse@" + options.pool + ".target";
    if (options.target == "none") options.target.clear();
    // No value may be taken for an option by the programs it is handed to.
    if (options.unit.starts_with('-') || options.target.starts_with('-')) return std::nullopt;
    return options;
}

}  // namespace dormouse::systemd
