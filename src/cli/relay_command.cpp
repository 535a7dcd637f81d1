#include "cli/relay_command.h"

#include <utility>

#include "config/load.h"
#include "relay/main.h"

namespace dormouse::cli {

int run_relay(const RelayOptions& options) {
    config::Sources sources;
    sources.pool = options.pool;
    sources.file = options.file;
    sources.sets = options.sets;
    // the same road as --set, so that a password in it is refused there
    if (!options.database_url.empty()) sources.sets.push_back("database.url=" + options.database_url);
    sources.environment = config::of_process();
    return relay::run_relay(std::move(sources), options.verbose);
}

}  // namespace dormouse::cli
