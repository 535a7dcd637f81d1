#include "cli/pool_of.h"

namespace dormouse::cli {

Try<std::string> pool_of(const std::string& command, const std::string& pool, bool has_file,
                         const config::Environment& environment) {
    if (!pool.empty()) return pool;
    const std::vector<std::string> pools = config::pools(environment);
    if (has_file || pools.empty()) return std::string("default");
    if (pools.size() == 1) return pools.front();
    std::string names;
    for (const std::string& name : pools) names += (names.empty() ? "" : ", ") + name;
    return give_up(Exit::usage, command + ": which pool? There are " + names);
}

}  // namespace dormouse::cli
