#include "cli/payload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

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

std::string line_and_column(const std::string& text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte == 0 ? 0 : byte - 1, text.size()));
    const auto line = 1 + std::count(text.begin(), end, '\n');
    const auto start = std::find(std::make_reverse_iterator(end), text.rend(), '\n').base();
    return "line " + std::to_string(line) + ", column " + std::to_string(1 + (end - start));
}

std::string why_no_json(const std::string& text, const nlohmann::json::parse_error& error) {
    if (text.empty()) return " is not JSON: it is empty; text needs double quotes: '\"text\"'";
    const std::string place = line_and_column(text, error.byte);
    if (is_half_a_pair(error.what())) return " has half a surrogate pair at " + place + half_a_pair_remedy;
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool meant_as_json = first != std::string::npos && std::string_view("{[\"").find(text[first]) < 3;
    return " is not JSON: it stops being JSON at " + place +
           (meant_as_json ? "" : "; text needs double quotes: '\"text\"'");
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
    try {
        [[maybe_unused]] const auto value = nlohmann::json::parse(*text);
        const std::string refused = nul_in_payload(*text);
        if (!refused.empty()) return give_up(Exit::usage, (what == "payload" ? "" : what + ": ") + refused);
    } catch (const nlohmann::json::parse_error& error) {
        return give_up(Exit::usage, what + why_no_json(*text, error));
    } catch (const nlohmann::json::exception&) {
        return give_up(Exit::usage, what + " has a number that is too large");  // that no double can hold
    }
    return text;
}

std::string nul_in_payload(const std::string& text) {
    if (text.find("\\u0000") == std::string::npos) return {};
    const nlohmann::json payload = nlohmann::json::parse(text);
    constexpr const char* remedy =
        " has a NUL character (\\u0000), which Postgres cannot store; leave it out, or encode it as base64";
    const auto has_nul = [](const std::string& part) { return part.find('\0') != std::string::npos; };
    std::vector<std::pair<const nlohmann::json*, std::string>> waiting{{&payload, "payload"}};
    while (!waiting.empty()) {
        const auto [value, where] = std::move(waiting.back());
        waiting.pop_back();
        if (value->is_string() && has_nul(value->get_ref<const std::string&>())) return where + remedy;
        if (value->is_object())
            for (const auto& [name, inner] : value->items()) {
                if (has_nul(name)) return where + ": the name " + nlohmann::json(name).dump() + remedy;
                if (inner.is_string() || inner.is_structured()) waiting.emplace_back(&inner, where + "." + name);
            }
        if (value->is_array())
            for (std::size_t i = 0; i < value->size(); ++i)
                if ((*value)[i].is_string() || (*value)[i].is_structured())
                    waiting.emplace_back(&(*value)[i], where + "[" + std::to_string(i) + "]");
    }
    return {};
}

bool is_half_a_pair(std::string_view parse_error) {
    return parse_error.find("surrogate") != std::string_view::npos;
}

}  // namespace dormouse::cli
