#include "handlers/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.h"
#include "handlers/json_text.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t line_bytes = 8U << 10U;
constexpr std::size_t tail_bytes = 2U << 10U;
constexpr Millis between_overwritten{1'000};
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
    if (is_json(bytes)) return without_nul(bytes);
    std::string text = clean_text(bytes);
    if (text.ends_with('\n')) text.pop_back();
    return nlohmann::json(std::move(text)).dump();
}

std::string LogBudget::rest() const {
    return missed == 0 ? std::string() : "[" + std::to_string(missed) + " bytes more were written and are not kept]";
}

void Tail::add(std::string_view piece) {
    bytes_.append(piece.substr(piece.size() - std::min(piece.size(), tail_bytes)));
    if (bytes_.size() > tail_bytes) bytes_.erase(0, bytes_.size() - tail_bytes);
}

std::string Tail::text() const {
    std::string_view rest = bytes_;
    if (rest.size() == tail_bytes) {  // probably cut: begin with a whole line, or at least with a whole character
        const auto line_end = rest.find('\n');
        if (line_end != std::string_view::npos && line_end + 1 < rest.size()) rest.remove_prefix(line_end + 1);
        while (!rest.empty() && continues(rest.front())) rest.remove_prefix(1);
    }
    const auto last = rest.find_last_not_of(" \t\r\n");
    return clean_text(rest.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

void Lines::add(std::string_view piece) {
    tail_.add(piece);
    while (!piece.empty() && !budget_.cut_said) {
        if (std::exchange(returned_, false) && piece.front() != '\n') overwrite();
        const auto end = std::min(piece.find_first_of("\r\n"), piece.size());
        append(piece.substr(0, end));
        piece.remove_prefix(end);
        if (piece.empty() || budget_.cut_said) break;
        if (piece.front() == '\n') {
            give();
        } else {
            returned_ = true;
        }
        piece.remove_prefix(1);
    }
    if (budget_.cut_said) budget_.missed += piece.size();
}

/// The line was shown, and another comes in its place.
void Lines::overwrite() {
    const auto now = BootClock::now();
    if (line_.empty() || now - last_overwritten_ >= between_overwritten) {
        if (!line_.empty()) give();
        last_overwritten_ = now;
        return;
    }
    budget_.used -= std::min(budget_.used, line_.size());
    line_.clear();
    long_line_ = false;
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
    budget_.missed = part.size() - fits;
    take_("[log cut: the handler wrote more than " + std::to_string(budget_.limit) + " bytes]");
}

void Lines::give() {
    if (long_line_) line_.resize(whole_characters(line_));
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

}  // namespace dormouse::handlers
