// UTF-8, one character after the other. Everybody may use this; it uses nothing of ours.
#pragma once

#include <cstddef>
#include <string_view>

namespace dormouse::utf8 {

struct Character {
    char32_t code = 0;      ///< of what is not valid: the byte
    std::size_t bytes = 1;  ///< of what is not valid: 1
    bool valid = false;
};

/// The character at the start of `text`, which is not empty. Not valid: overlong forms, surrogates, what is above
/// U+10FFFF, and a sequence that is cut. Source: table 3-7 of the Unicode standard.
Character first_of(std::string_view text);

/// Whether the byte can only be the second or a later one of a character.
constexpr bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

}  // namespace dormouse::utf8
