#include "relay/main.h"

#include <malloc.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdlib>

#include "base/limits.h"
#include "base/log.h"
#include "loop/loop.h"
#include "relay/relay.h"

namespace dormouse::relay {
namespace {

constexpr int least_files = 16;  ///< for its loop and its session, with some to spare

}  // namespace

int run_relay(config::Sources sources, bool verbose) {
    // The one other thread resolves names: it needs neither company nor a heap of its own.
    setenv("UV_THREADPOOL_SIZE", "1", 0);
    mallopt(M_ARENA_MAX, 1);
    ::prctl(PR_SET_DUMPABLE, 0);  // as the worker: its account is the handlers'
    ::signal(SIGPIPE, SIG_IGN);   // whoever reads our log may go before us
    ::signal(SIGXFSZ, SIG_IGN);   // a file that has become too long is an error, not our end
    log::start(verbose ? log::Level::debug : log::Level::info);
    if (const Status room = room_for_files(least_files, "a relay"); !room) {
        log::event(log::Level::error, "relay_stopped", room.error().message);
        return too_few_exit_code;
    }
    loop::Loop loop;
    {
        Relay relay(loop, std::move(sources));
        relay.start();
        loop.run();
    }
    return 0;
}

}  // namespace dormouse::relay
