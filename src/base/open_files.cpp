#include "base/open_files.h"

namespace dormouse {

namespace {

std::optional<rlimit> before;

}  // namespace

void raise_open_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0 && !before) before = limit;
}

const std::optional<rlimit>& open_files_before() {
    return before;
}

}  // namespace dormouse
