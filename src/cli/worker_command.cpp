#include "cli/worker_command.h"

#include <utility>

#include "cli/exit_code.h"
#include "cli/text.h"
#include "config/load.h"
#include "worker/main.h"

namespace dormouse::cli {

int run_worker(const WorkerOptions& options) {
    config::Sources sources;
    sources.pool = options.pool;
    sources.file = options.file;
    sources.sets = options.sets;
    // the same road as --set, so that a password in it is refused there
    if (!options.database_url.empty()) sources.sets.push_back("database.url=" + options.database_url);
    sources.environment = config::of_process();
    if (!options.check) return worker::run_pool(std::move(sources), options.verbose);
    const Status checked = worker::check_pool(sources);
    if (checked) return static_cast<int>(flush_stdout() ? Exit::ok : Exit::internal);
    complain(checked.error().message);
    // what is invalid here is what the pool's file says
    const Exit exit = from(checked.error()).exit;
    return static_cast<int>(exit == Exit::usage ? Exit::config : exit);
}

}  // namespace dormouse::cli
