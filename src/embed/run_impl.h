// What is behind a dormouse::Run, and the call of a public function as the handlers' contract has it. Used by
// Worker and Run.
#pragma once

#include <mutex>
#include <string>

#include "dormouse/worker.h"
#include "handlers/in_process_run.h"

namespace dormouse {

struct Run::Impl {
    handlers::InProcessRun& run;
    std::mutex mutex = {};
    std::string enqueue = {};  ///< guarded by mutex: a JSON array without its end
};

namespace embed {

/// Calls it, and says in the contract's terms how it ended; exceptions become failures.
handlers::Outcome call(const Worker::Function& function, handlers::InProcessRun& run);

}  // namespace embed
}  // namespace dormouse
