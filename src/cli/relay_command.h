// dormouse relay: from flags to what the relay reads; the relay itself is in src/relay.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dormouse::cli {

struct RelayOptions {
    std::string pool = "default";
    std::optional<std::string> file;  ///< --config
    std::vector<std::string> sets;    ///< --set section.key=value
    std::string database_url;
    bool verbose = false;
};

/// Returns the relay's own exit code.
int run_relay(const RelayOptions& options);

}  // namespace dormouse::cli
