#include "metrics/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/unique_fd.h"

namespace dormouse::metrics {
namespace {

constexpr off_t most_bytes = 8 << 20;

bool write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string hidden_name(const std::string& path) {
    const std::size_t slash = path.rfind('/') + 1;
    return path.substr(0, slash) + "." + path.substr(slash) + ".new";
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid() && errno == ENOENT) return std::string();
    if (!file.valid() && (errno == ELOOP || errno == ENXIO))
        return fail(ErrorKind::invalid, "it is not a regular file");
    if (!file.valid()) return tl::unexpected(from_errno(errno, "cannot be opened"));
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return tl::unexpected(from_errno(errno, "cannot be examined"));
    if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid, "it is not a regular file");
    if (about.st_size > most_bytes)
        return fail(ErrorKind::invalid, "it has " + std::to_string(about.st_size) + " bytes");
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t at = 0;
    while (at < text.size()) {
        const ssize_t count = ::read(file.get(), text.data() + at, text.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return tl::unexpected(from_errno(errno, "cannot be read"));
        if (count == 0) break;
        at += static_cast<std::size_t>(count);
    }
    text.resize(at);
    return text;
}

Status replace_file(const std::string& path, std::string_view text) {
    constexpr mode_t readable_for_all = 0644;
    const std::string hidden = hidden_name(path);
    ::unlink(hidden.c_str());  // of a worker that was killed in between
    const UniqueFd file(::open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, readable_for_all));
    if (!file.valid()) return tl::unexpected(from_errno(errno, hidden));
    const bool written = write_all(file.get(), text) && ::fchmod(file.get(), readable_for_all) == 0 &&
                         ::fsync(file.get()) == 0 && ::rename(hidden.c_str(), path.c_str()) == 0;
    if (written) return {};
    const int reason = errno;
    ::unlink(hidden.c_str());
    return tl::unexpected(from_errno(reason, path));
}

std::string put_aside(const std::string& path) {
    const std::string aside = path + ".broken";
    return ::rename(path.c_str(), aside.c_str()) == 0 ? aside : "";
}

}  // namespace dormouse::metrics
