#include "systemd/due_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/crash_point.h"
#include "base/unique_fd.h"

namespace dormouse::systemd {
namespace {

constexpr std::size_t most_bytes = 20;  // of any file here: the longest 64-bit number

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Error from_os(const std::string& what) {
    return Error{ErrorKind::transient, what + ": " + std::strerror(errno)};
}

/// The text of a small regular file with one link, or why it is not taken.
Result<std::string> read_plain(int directory_fd, const std::string& name) {
    // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
    const UniqueFd fd(::openat(directory_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(from_os("cannot open " + name));
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return tl::unexpected(from_os("cannot look at " + name));
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, name + " is not a regular file");
    if (status.st_nlink != 1) return fail(ErrorKind::invalid, name + " has other links");
    std::array<char, most_bytes + 2> buffer{};
    const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0) return tl::unexpected(from_os("cannot read " + name));
    if (static_cast<std::size_t>(size) == buffer.size()) return fail(ErrorKind::invalid, name + " is too long");
    return std::string(buffer.data(), static_cast<std::size_t>(size));
}

/// Makes `name` appear with `text` in it, all at once. `directory` is for the message.
Status replace_file(int directory_fd, const std::string& name, const std::string& text, mode_t mode) {
    const std::string fresh = "." + name;
    ::unlinkat(directory_fd, fresh.c_str(), 0);
    UniqueFd fd(::openat(directory_fd, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd.valid()) return tl::unexpected(from_os("cannot create " + fresh));
    ::fchmod(fd.get(), mode);
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written < 0) return tl::unexpected(from_os("cannot write " + fresh));
    if (static_cast<std::size_t>(written) != text.size()) {
        return fail(ErrorKind::transient, "cannot write " + fresh + ": file system is full");
    }
    if (::renameat(directory_fd, fresh.c_str(), directory_fd, name.c_str()) != 0) {
        return tl::unexpected(from_os("cannot rename " + fresh + " to " + name));
    }
    return {};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    return number;
}

}  // namespace

Due parse_due(std::string_view text) {
    if (text == "none" || text == "none\n") return NothingDue{};
    const auto number = parse_number(text);
    if (!number) return DueUnknown{"the due file is neither none nor a number"};
    return DueIn{Millis(static_cast<Millis::rep>(std::min<std::uint64_t>(*number, longest_due.count())))};
}

Due take_due(int directory_fd) {
    const auto text = read_plain(directory_fd, "due");
    // Never believed twice, whatever it was. A directory with something in it stays: it is the worker's own,
    // and only makes its next exit unknown again.
    if (::unlinkat(directory_fd, "due", 0) != 0 && errno == EISDIR) ::unlinkat(directory_fd, "due", AT_REMOVEDIR);
    crash_point("due_helper.taken");
    if (!text) return DueUnknown{text.error().message};
    return parse_due(*text);
}

Millis unknown_delay(std::uint64_t failures) {
    constexpr Millis base{10'000};
    constexpr Millis most{600'000};
    const std::uint64_t doublings = failures == 0 ? 0 : std::min<std::uint64_t>(failures - 1, 6);
    return std::min(base * (1 << doublings), most);
}

std::optional<std::uint64_t> read_number(int directory_fd, const std::string& name) {
    const auto text = read_plain(directory_fd, name);
    if (!text) return std::nullopt;
    return parse_number(*text);
}

Status write_number(int directory_fd, const std::string& name, std::uint64_t number) {
    return replace_file(directory_fd, name, std::to_string(number) + "\n", 0644);
}

}  // namespace dormouse::systemd
