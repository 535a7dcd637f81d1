#include "base/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace dormouse {

void open_standard_files() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        // the lowest number that is free, hence this one
        if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) std::abort();
    }
}

}  // namespace dormouse
