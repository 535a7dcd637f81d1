#include "cli/payload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"
#include "config/size.h"

namespace dormouse::cli {

namespace {

/// Reads to the end or to one byte more than `limit`.
Try<std::string> read_all(int fd, const std::string& what, std::int64_t limit) {
    std::string text;
    std::array<char, 65'536> chunk{};
    while (static_cast<std::int64_t>(text.size()) <= limit) {
        const auto wanted = std::min<std::int64_t>(limit + 1 - static_cast<std::int64_t>(text.size()), chunk.size());
        const ssize_t got = ::read(fd, chunk.data(), static_cast<std::size_t>(wanted));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return give_up(Exit::usage, from_errno(errno, what).message);
        if (got == 0) break;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

/// The byte (from 1) at which the text stops being JSON.
std::optional<std::size_t> where_wrong(const std::string& text) {
    try {
        const auto value = nlohmann::json::parse(text);
        return std::nullopt;
    } catch (const nlohmann::json::parse_error& error) {
        return error.byte;
    } catch (const nlohmann::json::exception&) {
        return 0;  // a number that no double can hold
    }
}

std::string line_and_column(const std::string& text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte == 0 ? 0 : byte - 1, text.size()));
    const auto line = 1 + std::count(text.begin(), end, '\n');
    const auto start = std::find(std::make_reverse_iterator(end), text.rend(), '\n').base();
    return "line " + std::to_string(line) + ", column " + std::to_string(1 + (end - start));
}

}  // namespace

Try<std::string> read_payload(const std::string& source, std::int64_t limit) {
    std::string what = "payload";
    Try<std::string> text = source;
    if (source == "-") {
        what = "payload from stdin";
        text = read_all(STDIN_FILENO, what, limit);
    } else if (source.starts_with('@')) {
        const std::string path = source.substr(1);
        what = "payload from " + path;
        const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.valid()) return give_up(Exit::usage, from_errno(errno, what).message);
        text = read_all(file.get(), what, limit);
    }
    if (!text) return text;
    if (static_cast<std::int64_t>(text->size()) > limit)
        return give_up(Exit::usage, what + " is larger than the limit of " + config::size_text(limit) +
                                        "; store it elsewhere and enqueue its address, or raise limits.payload_bytes");
    const auto wrong = where_wrong(*text);
    if (!wrong) return text;
    if (*wrong == 0) return give_up(Exit::usage, what + " has a number that is too large");
    const std::string place =
        text->empty() ? "it is empty" : "it stops being JSON at " + line_and_column(*text, *wrong);
    return give_up(Exit::usage, what + " is not JSON: " + place + "; text needs double quotes: '\"text\"'");
}

}  // namespace dormouse::cli
