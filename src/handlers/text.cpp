#include "handlers/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "handlers/json_text.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t line_bytes = 8U << 10U;
constexpr std::size_t tail_bytes = 2U << 10U;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

using utf8::continues;

/// Length of the valid character at the start of `bytes`; 0 when there is none.
std::size_t sequence_at(std::string_view bytes) {
    const auto character = utf8::first_of(bytes);
    return character.valid ? character.bytes : 0;
}

/// How much of a cut text ends with a whole character.
std::size_t whole_characters(std::string_view bytes) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
        const char c = bytes[bytes.size() - back];
        if (continues(c)) continue;
        const bool whole = sequence_at(bytes.substr(bytes.size() - back)) == back;
        return whole ? bytes.size() : bytes.size() - back;
    }
    return bytes.size();
}

}  // namespace

std::string clean_text(std::string_view bytes) {
    if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<signed char>(c) > 0; }))
        return std::string(bytes);
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = bytes.front() == '\0' ? 0 : sequence_at(bytes);
        text += length == 0 ? replacement : bytes.substr(0, length);
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return text;
}

std::string_view cut(std::string_view bytes, std::size_t most) {
    return bytes.size() <= most ? bytes : bytes.substr(0, whole_characters(bytes.substr(0, most)));
}

std::string result_of(const std::string& bytes) {
    if (bytes.find_first_not_of(" \t\r\n\f\v") == std::string::npos) return {};
    if (is_json(bytes)) return bytes;
    std::string text = clean_text(bytes);
    if (text.ends_with('\n')) text.pop_back();
    return nlohmann::json(std::move(text)).dump();
}

void Lines::add(std::string_view piece) {
    tail_.append(piece.substr(piece.size() - std::min(piece.size(), tail_bytes)));
    if (tail_.size() > tail_bytes) tail_.erase(0, tail_.size() - tail_bytes);
    while (!piece.empty() && !budget_.cut_said) {
        const auto end = std::min(piece.find('\n'), piece.size());
        append(piece.substr(0, end));
        if (end == piece.size() || budget_.cut_said) return;
        give();
        piece.remove_prefix(end + 1);
    }
}

void Lines::append(std::string_view part) {
    const std::size_t fits = std::min({part.size(), line_bytes - line_.size(), budget_.limit - budget_.used});
    line_.append(part.substr(0, fits));
    budget_.used += fits;
    if (budget_.used < budget_.limit) {
        long_line_ |= fits < part.size();
        return;
    }
    if (!line_.empty()) give();
    budget_.cut_said = true;
    take_("[log cut: the handler wrote more than " + std::to_string(budget_.limit) + " bytes]");
}

void Lines::give() {
    if (long_line_) line_.resize(whole_characters(line_));
    if (line_.ends_with('\r')) line_.pop_back();
    std::string text = clean_text(line_);
    if (long_line_) text += " [line cut at " + std::to_string(line_bytes) + " bytes]";
    line_.clear();
    long_line_ = false;
    budget_.used =
        std::min(budget_.used + 1, budget_.limit);  // the line break counts, or a flood of empty lines would not end
    take_(text);
}

void Lines::finish() {
    if (!line_.empty() && !budget_.cut_said) give();
}

std::string Lines::tail() const {
    std::string_view rest = tail_;
    if (rest.size() == tail_bytes) {  // probably cut: begin with a whole line, or at least with a whole character
        const auto line_end = rest.find('\n');
        if (line_end != std::string_view::npos && line_end + 1 < rest.size()) rest.remove_prefix(line_end + 1);
        while (!rest.empty() && continues(rest.front())) rest.remove_prefix(1);
    }
    const auto last = rest.find_last_not_of(" \t\r\n");
    return clean_text(rest.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

}  // namespace dormouse::handlers
