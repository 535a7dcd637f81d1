// dormouse-relay POOL: what the unit starts. `dormouse relay` is the same with flags, and with all of dormouse in
// memory.
#include <cstdio>

#include "base/standard_files.h"
#include "relay/main.h"

int main(int argc, char** argv) {
    dormouse::open_standard_files();
    if (argc != 2 || argv[1][0] == '-') {
        std::fprintf(stderr, "usage: dormouse-relay POOL (in a terminal: dormouse relay --help)\n");
        return 2;
    }
    dormouse::config::Sources sources;
    sources.pool = argv[1];
    sources.environment = dormouse::config::of_process();
    return dormouse::relay::run_relay(std::move(sources), false);
}
