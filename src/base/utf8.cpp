#include "base/utf8.h"

#include <cstdint>

namespace dormouse::utf8 {

Character first_of(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text.front());
    const Character invalid{lead, 1, false};
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return invalid;
    char32_t code = lead & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if (!continues(text[i])) return invalid;
        code = code << 6U | (static_cast<std::uint8_t>(text[i]) & 0x3FU);
    }
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) return invalid;
    return {code, bytes, true};
}

}  // namespace dormouse::utf8
