// What handlers print, on its way into the database and onto a terminal: clean however it was cut into pieces, and
// harmless.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/text.h"
#include "config/text.h"
#include "fuzz.h"
#include "handlers/json_text.h"
#include "handlers/text.h"

using namespace dormouse;
using fuzz::require;

namespace {

struct Read {
    std::vector<std::string> lines;
    std::string tail;
    bool operator==(const Read&) const = default;
};

Read lines_of(std::string_view bytes, std::size_t piece, std::size_t limit) {
    Read read;
    handlers::LogBudget budget{limit};
    handlers::Lines lines(budget, [&](std::string_view line) { read.lines.emplace_back(line); });
    for (std::size_t at = 0; at < bytes.size(); at += piece) lines.add(bytes.substr(at, piece));
    lines.finish();
    read.tail = lines.tail();
    return read;
}

/// Whether a terminal shows it as it is: neither C0, DEL nor C1.
bool is_harmless(std::string_view text) {
    for (std::size_t at = 0; at + 1 < text.size(); ++at)
        if (text[at] == '\xC2' && static_cast<unsigned char>(text[at + 1]) < 0xA0) return false;
    return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; }) &&
           handlers::clean_text(text) == text;
}

void check_handlers(std::string_view bytes) {
    const std::string clean = handlers::clean_text(bytes);
    require(handlers::clean_text(clean) == clean && clean.find('\0') == std::string::npos);
    for (const std::size_t most : {std::size_t{0}, std::size_t{1}, std::size_t{7}, bytes.size() / 2}) {
        const std::string_view piece = handlers::cut(clean, most);
        require(piece.size() <= most && clean.starts_with(piece) && handlers::clean_text(piece) == piece);
    }
    const std::string result = handlers::result_of(std::string(bytes));
    require(result.empty() || handlers::is_json(result));
    std::string json;
    handlers::append_json_string(json, clean);
    require(handlers::is_json(json) && handlers::text_of(json) == clean);
    for (const std::size_t limit : {std::string::npos, std::size_t{5}, std::size_t{100}}) {
        const Read whole = lines_of(bytes, bytes.size() + 1, limit);
        require(whole == lines_of(bytes, 1, limit) && whole == lines_of(bytes, 7, limit));
        require(whole.tail.size() <= 3 * 2048 && handlers::clean_text(whole.tail) == whole.tail);
        for (const std::string& line : whole.lines) require(handlers::clean_text(line) == line);
    }
}

void check_terminal(std::string_view bytes) {
    const std::string harmless = escaped(bytes);
    require(is_harmless(harmless));
    require(cli::width(cli::cut(harmless, 10)) <= 11 && is_harmless(cli::cut(harmless, 10)));
    if (handlers::is_json(bytes)) require(handlers::is_json(safe_json(bytes)));
    require(is_harmless(config::quote(bytes)) && is_harmless(config::named(std::string(bytes))));
    if (config::printable(bytes)) require(is_harmless(bytes));
}

void run(std::string_view bytes) {
    check_handlers(bytes);
    check_terminal(bytes);
}

const fuzz::Target target("text", run);

}  // namespace
