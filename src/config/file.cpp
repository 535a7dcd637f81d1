#include "config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace dormouse::config {

namespace {

Error system_error(const std::string& path) {
    const int number = errno;
    Error error = from_errno(number, path);
    if (number == EACCES) error.message += "; run as a member of the file's group, or as root";
    return error;
}

}  // namespace

Result<FileText> read_file(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid() && errno == ENXIO) return fail(ErrorKind::invalid, path + ": not a regular file; put one there");
    if (!fd.valid()) return tl::unexpected(system_error(path));
    struct stat about{};
    if (::fstat(fd.get(), &about) != 0) return tl::unexpected(system_error(path));
    if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid, path + ": not a regular file; put one there");
    FileText file;
    file.world_readable = (about.st_mode & S_IROTH) != 0;
    std::array<char, 16U << 10U> piece;  // NOLINT: filled by read; st_size is no help, some files report 0
    for (;;) {
        const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::unexpected(system_error(path));
        if (got == 0) break;
        file.text.append(piece.data(), static_cast<std::size_t>(got));
        if (file.text.size() > largest_file)
            return fail(ErrorKind::invalid, path + ": larger than 1 MiB; is it the right file?");
    }
    return file;
}

bool is_missing(const std::string& path) {
    struct stat about{};
    return ::stat(path.c_str(), &about) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace dormouse::config
