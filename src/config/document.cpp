#include "config/document.h"

#include <algorithm>
#include <sstream>

#include "config/text.h"

// The library recurses for each level, and for each dot of a key when the tree is thrown away; both are
// bounded here, because a file of "a.a.a.…" would overflow the stack. Its assertions fail on some wrong files
// ("[}") and are taken for unreachable under NDEBUG, so they become exceptions.
namespace dormouse::config {
namespace {
struct BrokenAssertion {};
constexpr void toml_assert(bool holds) {
    if (!holds) throw BrokenAssertion{};
}
}  // namespace
}  // namespace dormouse::config
#undef NDEBUG
#define TOML_ASSERT(expr) dormouse::config::toml_assert(static_cast<bool>(expr))
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

namespace dormouse::config {

namespace {

constexpr int deepest = 8;
constexpr std::ptrdiff_t most_dots = 250;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string printed(const toml::node& node) {
    std::ostringstream out;
    if (const auto* real = node.as_floating_point()) out << *real;
    if (const auto* boolean = node.as_boolean()) out << (boolean->get() ? "true" : "false");
    return out.str();
}

Value converted(const toml::node& node, int depth) {
    Value value;
    value.line = static_cast<int>(node.source().begin.line);
    switch (node.type()) {
        case toml::node_type::string:
            value.text = node.as_string()->get();
            return value;
        case toml::node_type::integer:
            value.kind = Value::Kind::integer;
            value.integer = node.as_integer()->get();
            return value;
        case toml::node_type::floating_point:
        case toml::node_type::boolean:
            value.kind = node.is_boolean() ? Value::Kind::boolean : Value::Kind::real;
            value.text = printed(node);
            return value;
        case toml::node_type::array:
            value.kind = Value::Kind::list;
            if (depth < deepest)
                for (const toml::node& item : *node.as_array()) value.items.push_back(converted(item, depth + 1));
            return value;
        case toml::node_type::table:
            value.kind = Value::Kind::table;
            if (depth == deepest) return value;
            for (const auto& [key, entry] : *node.as_table()) {
                value.entries.push_back({std::string(key.str()), converted(entry, depth + 1)});
                value.entries.back().value.line = static_cast<int>(key.source().begin.line);
            }
            std::stable_sort(value.entries.begin(), value.entries.end(),
                             [](const Entry& left, const Entry& right) { return left.value.line < right.value.line; });
            return value;
        default:
            value.kind = Value::Kind::date;
            return value;
    }
}

std::string_view line_of(std::string_view text, std::size_t number) {
    for (; number > 1; --number) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    return text.substr(0, text.find('\n'));
}

/// "KEY: " if the line starts like `key = …`, so that a mistake in a value is reported with its key.
std::string key_of(std::string_view line) {
    const std::size_t equals = std::min(line.find('='), line.size());
    const std::string_view key = trimmed(line.substr(0, equals));
    const bool bare = std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '-';
    });
    return equals < line.size() && bare && !key.empty() && key.size() <= 60 ? std::string(key) + ": " : "";
}

/// The library's own words on one line.
std::string words(std::string_view description) {
    std::string out;
    for (const char c : description.substr(0, 200)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return printable(out) ? out : "unexpected bytes";
}

/// The number of the first line with something other than ASCII outside quotes and comments, where TOML has no place
/// for it; 0 if there is none. Version 3.3 of the library runs into __builtin_unreachable for most letters of U+00A0 to
/// U+0499 there.
int line_outside_ascii(std::string_view text) {
    int number = 1;
    std::string_view end;  // what ends the quote or the comment that this is in; empty: none
    while (!text.empty()) {
        std::size_t step = 1;
        if (end.empty()) {
            if (static_cast<unsigned char>(text[0]) >= 0x80) return number;
            for (const std::string_view quote : {"\"\"\"", "\'\'\'", "\"", "\'"})
                if (end.empty() && text.starts_with(quote)) end = quote;
            step = std::max(end.size(), step);
            if (text[0] == '#') end = "\n";
        } else if (text.starts_with(end)) {
            step = end == "\n" ? 0 : end.size();
            while (end.size() == 3 && step < 5 && text.substr(step).starts_with(end[0])) ++step;  // quotes at its end
            end = {};
        } else if (text[0] == '\n' && end.size() == 1) {
            end = {};  // a quote that is not closed: the library says so
        } else if (text[0] == '\\' && end[0] == '"') {
            step = std::min<std::size_t>(2, text.size());
        }
        number += static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(step), '\n'));
        text.remove_prefix(step);
    }
    return 0;
}

/// The number of the first line with more dots than any key needs; 0 if there is none.
int overlong_line(std::string_view text) {
    for (int number = 1;; ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '.') > most_dots) return number;
        if (end == text.size()) return 0;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

namespace {

std::string_view first_lines(std::string_view text, std::size_t count) {
    std::size_t end = 0;
    for (; count > 0 && end < text.size(); --count) end = std::min(text.find('\n', end), text.size() - 1) + 1;
    return text.substr(0, end);
}

bool breaks_assertion(std::string_view text) {
    try {
        static_cast<void>(toml::parse(text));
    } catch (const toml::parse_error&) {
        return false;  // cut within a value
    } catch (const BrokenAssertion&) {
        return true;
    }
    return false;
}

/// The line that breaks an assertion, which brings no place with it: the last of the fewest lines that do.
std::size_t line_of_assertion(std::string_view text) {
    std::size_t without = 0;
    std::size_t with = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    while (with - without > 1) {
        const std::size_t middle = without + (with - without) / 2;
        (breaks_assertion(first_lines(text, middle)) ? with : without) = middle;
    }
    return with;
}

tl::unexpected<Error> not_toml(std::string_view text, const std::string& place, std::size_t line,
                               std::string_view description) {
    return fail(ErrorKind::invalid, place + ":" + std::to_string(line) + ": " + key_of(line_of(text, line)) +
                                        words(description) + " (not TOML; texts and durations stand in double quotes)");
}

}  // namespace

Result<Value> parse_document(std::string_view text, const std::string& place) {
    if (const int number = overlong_line(text); number > 0)
        return fail(ErrorKind::invalid, place + ":" + std::to_string(number) + ": more than " +
                                            std::to_string(most_dots) + " dots in one line; split the line");
    if (const int number = line_outside_ascii(text.starts_with(byte_order_mark) ? text.substr(3) : text); number > 0)
        return not_toml(text, place, static_cast<std::size_t>(number), "a letter outside quotes that is not ASCII");
    try {
        const toml::table tree = toml::parse(text, std::string_view(place));
        return converted(tree, 0);
    } catch (const toml::parse_error& error) {
        return not_toml(text, place, error.source().begin.line, error.description());
    } catch (const BrokenAssertion&) {
        return not_toml(text, place, line_of_assertion(text), "unexpected character");
    }
}

}  // namespace dormouse::config
