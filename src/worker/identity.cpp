#include "worker/identity.h"

#include <unistd.h>

#include <algorithm>

#include "base/process.h"

namespace dormouse::worker {

store::Identity make_identity(const std::string& pool, const std::vector<std::string>& queues) {
    store::Identity who;
    who.id = Uuid::random();
    who.pool = pool;
    who.queues = queues;
    who.unit = unit_of(this_process);
    who.host = this_host();
    who.pid = getpid();
    who.pid_start = std::max<std::int64_t>(start_of(this_process), 0);
    who.pid_namespace = this_pid_namespace();
    who.boot_id = Uuid::parse(this_boot()).value_or(Uuid{});
    who.version = DORMOUSE_VERSION;
    return who;
}

store::Identity make_identity(const config::Config& config, const Errand& errand) {
    store::Identity who = make_identity(config.pool, config.worker.queues);
    who.concurrency = config.worker.concurrency;
    who.run = errand.run;
    who.rests = config.database.close_after > Millis{0};
    return who;
}

}  // namespace dormouse::worker
