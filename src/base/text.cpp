#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>

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

std::string escaped_one(const Character& character) {
    if (!character.valid) return hex("\\x%02x", character.code);
    if (character.code == '\n') return "\\n";
    if (character.code == '\r') return "\\r";
    if (character.code == '\t') return "\\t";
    if (character.code < 0x20) return hex("\\x%02x", character.code);
    if (is_c1_or_delete(character.code) || is_deceptive(character.code)) return hex("\\u%04x", character.code);
    return {};
}

}  // namespace

Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {lead, 1, false};
    char32_t code = lead & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return {lead, 1, false};
        code = code << 6U | (byte(i) & 0x3FU);
    }
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) return {lead, 1, false};
    return {code, bytes, true};
}

std::string escaped(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const Character character = first_character(text);
        const std::string instead = escaped_one(character);
        result += instead.empty() ? text.substr(0, character.bytes) : instead;
        text.remove_prefix(character.bytes);
    }
    return result;
}

std::string safe_json(std::string_view json) {
    std::string result;
    while (!json.empty()) {
        const Character character = first_character(json);
        const bool harmful = character.valid && (is_c1_or_delete(character.code) || is_deceptive(character.code));
        result += harmful ? hex("\\u%04x", character.code) : std::string(json.substr(0, character.bytes));
        json.remove_prefix(character.bytes);
    }
    return result;
}

}  // namespace dormouse
