#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "base/utf8.h"

namespace dormouse {
namespace {

bool is_c1_or_delete(char32_t code) {
    return code >= 0x7F && code <= 0x9F;
}

/// Nothing of it is seen, but the line looks different from what it is.
bool is_deceptive(char32_t code) {
    return (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x2069) || code == 0xFEFF || code == 0x061C;
}

std::string hex(const char* format, std::uint32_t value) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

std::string escaped_one(const utf8::Character& character) {
    if (!character.valid) return hex("\\x%02x", character.code);
    if (character.code == '\n') return "\\n";
    if (character.code == '\r') return "\\r";
    if (character.code == '\t') return "\\t";
    if (character.code < 0x20) return hex("\\x%02x", character.code);
    if (is_c1_or_delete(character.code) || is_deceptive(character.code)) return hex("\\u%04x", character.code);
    return {};
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const utf8::Character character = utf8::first_of(text);
        const std::string instead = escaped_one(character);
        result += instead.empty() ? text.substr(0, character.bytes) : instead;
        text.remove_prefix(character.bytes);
    }
    return result;
}

namespace {

/// What an interpreter writes below an error: where it came from, what belongs to it, its own name.
bool is_below_an_error(std::string_view line) {
    const bool frame = line.size() > 1 && line[0] == '#' && line[1] >= '0' && line[1] <= '9';
    return line.empty() || line[0] == ' ' || line[0] == '\t' || line[0] == '}' || frame ||
           line.starts_with("Node.js v") || line == "Stack trace:";
}

bool names_an_error(std::string_view line) {
    return line.find("Error") != std::string_view::npos || line.find("Exception") != std::string_view::npos;
}

/// Without the line breaks and spaces at the end.
std::string_view trimmed(std::string_view text) {
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

std::string_view last_line(std::string_view text) {
    return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

}  // namespace

std::string brief(std::string_view text) {
    text = trimmed(text);
    const std::size_t first = text.find('\n');
    if (first == std::string_view::npos) return std::string(text);
    const std::string begin(text.substr(0, first));
    std::string_view rest = text.substr(first + 1);
    const std::string_view last = last_line(rest);
    if (!is_below_an_error(last)) return begin + ": " + std::string(last);
    for (bool more = true; more;) {
        const std::string_view line = last_line(rest);
        if (!is_below_an_error(line) && names_an_error(line)) return begin + ": " + std::string(trimmed(line));
        more = line.size() < rest.size();
        if (more) rest.remove_suffix(line.size() + 1);
    }
    const std::size_t word = last.find_first_not_of(" \t");
    const bool a_frame =
        last[0] == '#' || last.substr(word).starts_with("at ") || last.substr(word).starts_with("from ");
    return a_frame ? begin : begin + ": " + std::string(last.substr(word));
}

std::string safe_json(std::string_view json) {
    std::string result;
    while (!json.empty()) {
        const utf8::Character character = utf8::first_of(json);
        const bool harmful = character.valid && (is_c1_or_delete(character.code) || is_deceptive(character.code));
        result += harmful ? hex("\\u%04x", character.code) : std::string(json.substr(0, character.bytes));
        json.remove_prefix(character.bytes);
    }
    return result;
}

}  // namespace dormouse
