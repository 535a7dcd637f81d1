#include "spool/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/crash_point.h"
#include "base/unique_fd.h"

namespace dormouse::spool {
namespace {

Error why_not_opened(int reason) {
    switch (reason) {
        case ENOENT:
            return {ErrorKind::disconnected, "it is gone"};
        case ELOOP:
            return {ErrorKind::invalid, "it is a symbolic link"};
        case ENXIO:
            return {ErrorKind::invalid, "it is not a regular file"};
        case EACCES:
        case EPERM:
            return {ErrorKind::invalid, "the worker may not read it; give its group the right to (mode 0640)"};
        default:
            return from_errno(reason, "cannot be opened");
    }
}

Millis age_of(const timespec& written) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto seconds = std::chrono::seconds(now.tv_sec - written.tv_sec);
    return std::chrono::duration_cast<Millis>(seconds);
}

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

Result<Content> read_file(int directory, const std::string& name, std::int64_t most) {
    const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid()) return tl::unexpected(why_not_opened(errno));
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return tl::unexpected(from_errno(errno, "cannot be examined"));
    if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid, "it is not a regular file");
    if (about.st_size > most)
        return fail(ErrorKind::invalid, "it has " + std::to_string(about.st_size) + " bytes, more than the " +
                                            std::to_string(most) + " that limits.payload_bytes allows");
    Content content{std::string(static_cast<std::size_t>(about.st_size), '\0'), age_of(about.st_mtim)};
    std::size_t at = 0;
    while (at < content.text.size()) {
        const ssize_t count = ::read(file.get(), content.text.data() + at, content.text.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(ErrorKind::transient, from_errno(errno, "cannot be read").message);
        if (count == 0) break;  // it has shrunk meanwhile: truncated, as will be seen
        at += static_cast<std::size_t>(count);
    }
    content.text.resize(at);
    return content;
}

Status write_file(int directory, const std::string& name, std::string_view text, mode_t mode) {
    const std::string hidden = "." + name;
    const UniqueFd file(
        ::openat(directory, hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file.valid()) return tl::unexpected(from_errno(errno, hidden));
    const bool written = write_all(file.get(), text) && ::fchmod(file.get(), mode) == 0 && ::fsync(file.get()) == 0;
    crash_point("spool_file.written");
    if (!written || ::renameat2(directory, hidden.c_str(), directory, name.c_str(), RENAME_NOREPLACE) != 0 ||
        ::fsync(directory) != 0) {
        const int reason = errno;
        ::unlinkat(directory, hidden.c_str(), 0);
        return tl::unexpected(from_errno(reason, name));
    }
    return {};
}

}  // namespace dormouse::spool
