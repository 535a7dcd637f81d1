#include "base/limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/unique_fd.h"

namespace dormouse {
namespace {

std::string limit_of(__rlimit_resource resource) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0) return "unknown";
    return limit.rlim_cur == RLIM_INFINITY ? "no limit" : std::to_string(limit.rlim_cur);
}

}  // namespace

std::string open_files_remedy(int error_number) {
    if (error_number == EMFILE)
        return " (this process may have " + limit_of(RLIMIT_NOFILE) +
               " files open: raise LimitNOFILE= of the unit, in a shell `ulimit -n`, or take fewer runs at once, "
               "worker.concurrency)";
    if (error_number == ENFILE) return " (of the whole machine: raise sysctl fs.file-max)";
    return {};
}

std::string open_files_remedy(const std::string& text) {
    for (const int one : {ENFILE, EMFILE})  // the words of the first begin with those of the second
        if (text.find(std::generic_category().message(one)) != std::string::npos) return open_files_remedy(one);
    return {};
}

Error no_process(int error_number, const std::string& what) {
    Error error = from_errno(error_number, what);
    if (error_number == EAGAIN)
        error.message +=
            " (too many processes and threads: raise TasksMax= or LimitNPROC= of the unit, in a shell "
            "`ulimit -u`, which is " +
            limit_of(RLIMIT_NPROC) + ")";
    return error;
}

Status room_for_files(int least, const std::string& who) {
    std::vector<UniqueFd> taken;
    while (static_cast<int>(taken.size()) < least) {
        UniqueFd one(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
        if (!one.valid())
            return tl::unexpected(from_errno(errno, who + " needs " + std::to_string(least) +
                                                        " open files more than it was started with, and can have " +
                                                        std::to_string(taken.size())));
        taken.push_back(std::move(one));
    }
    return {};
}

void end_for_want_of(const char* what, int error_number) {
    std::fprintf(stderr, "dormouse: %s: %s%s\n", what, std::generic_category().message(error_number).c_str(),
                 open_files_remedy(error_number).c_str());
    std::fflush(nullptr);
    ::_exit(too_few_exit_code);
}

}  // namespace dormouse
