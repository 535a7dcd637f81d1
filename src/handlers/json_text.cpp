#include "handlers/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dormouse::handlers {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view white_space = " \t\r\n";

/// The JSON value that `text` begins with. It has been checked: what follows a quote or a bracket is whole.
std::string_view value_at(std::string_view text) {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') ++i;
            if (c != '"') continue;
            quoted = false;
            if (depth == 0) return text.substr(0, i + 1);
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return text.substr(0, i);  // of what is around it
            if (--depth == 0) return text.substr(0, i + 1);
        } else if (depth == 0 && (c == ',' || c == ':' || white_space.find(c) != std::string_view::npos)) {
            return text.substr(0, i);
        }
    }
    return text;
}

void skip(std::string_view& text, std::string_view what) {
    text.remove_prefix(std::min(text.find_first_not_of(what), text.size()));
}

}  // namespace

bool is_json(std::string_view bytes) {
    // The parser takes a NUL for the end of the text and passes over a byte order mark; Postgres refuses both.
    return bytes.find('\0') == std::string_view::npos && !bytes.starts_with(byte_order_mark) &&
           nlohmann::json::accept(bytes);
}

std::string where_json_ends(std::string_view bytes) {
    skip(bytes, white_space);
    const std::size_t last = bytes.find_last_not_of(white_space);
    if (last == std::string_view::npos) return {};
    bytes = bytes.substr(0, last + 1);
    const bool looks = (bytes.front() == '{' && bytes.back() == '}') || (bytes.front() == '[' && bytes.back() == ']');
    if (!looks || is_json(bytes)) return {};
    try {
        if (!nlohmann::json::parse(bytes).is_discarded()) return "it has a NUL character";
    } catch (const nlohmann::json::parse_error& error) {
        constexpr std::size_t before = 20;
        constexpr std::size_t shown = 40;
        const std::size_t at = std::max<std::size_t>(error.byte, 1);
        return "at byte " + std::to_string(at) + ", in: " + std::string(bytes.substr(at - std::min(at, before), shown));
    } catch (const nlohmann::json::exception&) {
        return "it has a number that is too large";
    }
    return {};
}

std::string without_nul(std::string text) {
    constexpr std::string_view nul = "\\u0000";
    for (std::size_t at = 0; (at = text.find(nul, at)) != std::string::npos; at += nul.size()) {
        const std::size_t first = text.find_last_not_of('\\', at);  // an even number of backslashes before it
        const std::size_t before = at - (first == std::string::npos ? 0 : first + 1);
        if (before % 2 == 0) text.replace(at, nul.size(), "\\ufffd");
    }
    return text;
}

std::vector<Member> members_of(std::string_view text) {
    std::vector<Member> members;
    skip(text, white_space);
    if (!text.starts_with('{')) return members;
    text.remove_prefix(1);
    constexpr std::size_t usual = 8;
    members.reserve(usual);
    for (skip(text, white_space); text.starts_with('"'); skip(text, " \t\r\n,")) {
        const std::string_view name = value_at(text);
        text.remove_prefix(name.size());
        skip(text, " \t\r\n:");
        const std::string_view value = value_at(text);
        text.remove_prefix(value.size());
        members.push_back({text_of(name).value_or(std::string()), value});
    }
    return members;
}

// Most strings need no parser and no serializer: a warm run has a dozen of them, 1 µs of its 14.
std::optional<std::string> text_of(std::string_view value) {
    if (!value.starts_with('"')) return std::nullopt;
    if (value.find('\\') == std::string_view::npos) return std::string(value.substr(1, value.size() - 2));
    return nlohmann::json::parse(value).get<std::string>();
}

void append_json_string(std::string& line, std::string_view text) {
    const auto is_plain = [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; };
    if (std::all_of(text.begin(), text.end(), is_plain)) {
        line.append(1, '"').append(text).append(1, '"');
    } else {
        line += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
}

}  // namespace dormouse::handlers
