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

std::string brief(std::string_view text) {
    const std::size_t end = text.find_last_not_of(" \t\r\n");
    text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
    const std::size_t first = text.find('\n');
    if (first == std::string_view::npos) return std::string(text);
    return std::string(text.substr(0, first)) + ": " + std::string(text.substr(text.rfind('\n') + 1));
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
