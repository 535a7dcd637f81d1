#include "cli/text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace dormouse::cli {

namespace {

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

/// The character at the start of `text`, which is not empty. Not valid: one byte that is no UTF-8.
Character first_of(std::string_view text) {
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

bool is_c1_or_delete(char32_t code) {
    return code >= 0x7F && code <= 0x9F;
}

/// Nothing of it is seen, but the line looks different from what it is.
bool is_deceptive(char32_t code) {
    return code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF || code == 0x061C;
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

const char* code_of(Colour colour) {
    switch (colour) {
        case Colour::none:
            return "";
        case Colour::bold:
            return "\033[1m";
        case Colour::dim:
            return "\033[2m";
        case Colour::red:
            return "\033[31m";
        case Colour::green:
            return "\033[32m";
        case Colour::yellow:
            return "\033[33m";
        case Colour::blue:
            return "\033[34m";
    }
    return "";
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const Character character = first_of(text);
        const std::string instead = escaped_one(character);
        result += instead.empty() ? text.substr(0, character.bytes) : instead;
        text.remove_prefix(character.bytes);
    }
    return result;
}

std::string safe_json(std::string_view json) {
    std::string result;
    while (!json.empty()) {
        const Character character = first_of(json);
        const bool harmful = character.valid && (is_c1_or_delete(character.code) || is_deceptive(character.code));
        result += harmful ? hex("\\u%04x", character.code) : std::string(json.substr(0, character.bytes));
        json.remove_prefix(character.bytes);
    }
    return result;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80; }));
}

std::string cut(std::string_view text, std::size_t characters) {
    std::string harmless = escaped(text);
    if (width(harmless) <= characters) return harmless;
    std::string_view rest = harmless;
    std::string result;
    for (std::size_t i = 0; i + 1 < characters; ++i) {
        const std::size_t bytes = first_of(rest).bytes;
        result += rest.substr(0, bytes);
        rest.remove_prefix(bytes);
    }
    return result + "…";
}

bool colours_wanted() {
    static const bool wanted = [] {
        const char* const no_colour = std::getenv("NO_COLOR");
        const char* const terminal = std::getenv("TERM");
        return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
               (terminal == nullptr || std::string_view(terminal) != "dumb");
    }();
    return wanted;
}

std::string paint(Colour colour, std::string_view text) {
    if (colour == Colour::none || !colours_wanted()) return std::string(text);
    return code_of(colour) + std::string(text) + "\033[0m";
}

Colour colour_of_status(std::string_view status) {
    if (status == "completed") return Colour::green;
    if (status == "failed") return Colour::red;
    if (status == "retry") return Colour::yellow;
    if (status == "running") return Colour::blue;
    return Colour::none;
}

Table::Table(std::vector<std::string> heading) {
    std::vector<Cell> row;
    for (std::string& text : heading) row.push_back({std::move(text), Colour::dim});
    rows_.push_back(std::move(row));
}

void Table::add(std::vector<Cell> row) {
    for (Cell& cell : row) cell.text = escaped(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::text(std::string_view indent) const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
    std::string result;
    for (const auto& row : rows_) {
        result += indent;
        for (std::size_t i = 0; i < row.size(); ++i) {
            result += paint(row[i].colour, row[i].text);
            if (i + 1 < row.size()) result.append(widths[i] - width(row[i].text) + 2, ' ');
        }
        result += '\n';
    }
    return result;
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void complain(std::string_view text) {
    const std::string line = "dormouse: " + escaped(text) + "\n";
    std::fflush(stdout);
    std::fwrite(line.data(), 1, line.size(), stderr);
}

bool flush_stdout() {
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

}  // namespace dormouse::cli
