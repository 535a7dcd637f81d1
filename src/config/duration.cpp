#include "config/duration.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

#include "config/text.h"

namespace dormouse::config {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
    bool written;  ///< false: read, but never written
};

constexpr std::array<Unit, 8> units{{
    {"w", 604'800'000, false},
    {"d", 86'400'000, true},
    {"h", 3'600'000, true},
    {"min", 60'000, true},
    {"m", 60'000, false},
    {"s", 1'000, true},
    {"sec", 1'000, false},
    {"ms", 1, true},
}};

constexpr std::string_view number_characters = "0123456789";

/// Takes the longest beginning of `rest` made of `set` (or, if not `in`, of anything else) off it.
std::string_view take(std::string_view& rest, std::string_view set, bool in) {
    const std::size_t end = in ? rest.find_first_not_of(set) : rest.find_first_of(set);
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(taken.size());
    rest = trimmed(rest);
    return taken;
}

const Unit* find_unit(std::string_view name) {
    for (const Unit& unit : units)
        if (unit.name == name) return &unit;
    return nullptr;
}

tl::unexpected<Error> refused(std::string_view text, const std::string& why) {
    return fail(ErrorKind::invalid, "found " + quote(text) + why +
                                        R"(, expected a duration such as "250ms", "30s", "5min", "1h30min" or "2d")");
}

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
    std::string_view rest = trimmed(text);
    if (rest == "0") return Millis{0};
    if (rest.empty()) return refused(text, "");
    std::int64_t total = 0;
    std::int64_t last_unit = std::numeric_limits<std::int64_t>::max();
    while (!rest.empty()) {
        const std::string_view number = take(rest, number_characters, true);
        if (number.empty()) return refused(text, "");
        const std::string_view name = trimmed(take(rest, number_characters, false));
        if (name.empty()) return refused(text, " without a unit");
        const Unit* unit = find_unit(name);
        if (unit == nullptr && name.front() == '.') return refused(text, " with a fraction");
        if (unit == nullptr) return refused(text, " with the unknown unit " + quote(name));
        if (unit->milliseconds >= last_unit) return refused(text, " with units out of order");
        last_unit = unit->milliseconds;
        std::int64_t count = 0;
        const auto read = std::from_chars(number.data(), number.data() + number.size(), count);
        std::int64_t part = 0;
        if (read.ec != std::errc{} || __builtin_mul_overflow(count, unit->milliseconds, &part) ||
            __builtin_add_overflow(total, part, &total))
            return refused(text, ", which is too long");
    }
    return Millis{total};
}

std::string duration_text(Millis value) {
    std::int64_t rest = value.count();
    if (rest <= 0) return "0s";
    std::string single;
    std::string composed;
    for (const Unit& unit : units) {
        if (!unit.written) continue;
        if (single.empty() && value.count() % unit.milliseconds == 0)
            single = std::to_string(value.count() / unit.milliseconds).append(unit.name);
        if (rest >= unit.milliseconds) composed += std::to_string(rest / unit.milliseconds).append(unit.name);
        rest %= unit.milliseconds;
    }
    return single.size() <= composed.size() ? single : composed;
}

}  // namespace dormouse::config
