#include "config/text.h"

#include <algorithm>
#include <numeric>

#include "base/utf8.h"

namespace dormouse::config {

namespace {

constexpr std::size_t longest_quote = 60;
constexpr std::size_t longest_comparable = 100;  // beyond it nobody mistyped anything, and edit_distance() is quadratic

unsigned byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// The bytes of the printable character at `at`; 0 if there is a control character or no valid UTF-8.
std::size_t character_length(std::string_view text, std::size_t at) {
    const utf8::Character first = utf8::first_of(text.substr(at));
    const bool control = first.code < 0x20 || (first.code >= 0x7f && first.code < 0xa0);
    return first.valid && !control ? first.bytes : 0;
}

std::string_view last_part(std::string_view name) {
    return name.substr(name.rfind('.') + 1);
}

}  // namespace

std::string quote(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    std::size_t at = 0;
    while (at < text.size() && out.size() <= longest_quote) {
        const std::size_t length = character_length(text, at);
        if (length == 0) {
            out += "\\x";
            out += digits[byte_at(text, at) >> 4U];
            out += digits[byte_at(text, at) & 0xfU];
        } else {
            out += text.substr(at, length);
        }
        at += std::max<std::size_t>(length, 1);
    }
    return out + (at < text.size() ? "…\"" : "\"");
}

std::string named(const std::string& name) {
    return printable(name) && name.size() <= 80 ? name : quote(name);
}

bool printable(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t length = character_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t exchanged = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({exchanged, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
    if (name.size() > longest_comparable) return {};
    std::string best;
    std::size_t least = std::max<std::size_t>(2, last_part(name).size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t whole = edit_distance(name, candidate);
        const std::size_t moved = edit_distance(last_part(name), last_part(candidate)) + 1;
        const std::size_t here = std::min(whole, moved);
        if (here < least) {
            least = here;
            best = candidate;
        }
    }
    return best;
}

}  // namespace dormouse::config
