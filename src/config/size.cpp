#include "config/size.h"

#include <array>
#include <charconv>

#include "config/text.h"

namespace dormouse::config {

namespace {

struct SizeUnit {
    std::string_view name;
    std::int64_t bytes;
    bool written;  ///< false: read, but never written
};

constexpr std::array<SizeUnit, 7> size_units{{
    {"GiB", 1LL << 30, true},
    {"GB", 1'000'000'000, false},
    {"MiB", 1LL << 20, true},
    {"MB", 1'000'000, false},
    {"KiB", 1LL << 10, true},
    {"kB", 1'000, false},
    {"B", 1, true},
}};

}  // namespace

Result<std::int64_t> parse_size(std::string_view text) {
    const auto refused = [text](const std::string& why) {
        return fail(ErrorKind::invalid,
                    "found " + quote(text) + why + R"(, expected a size such as "1MiB", "64KiB" or 65536)");
    };
    const std::string_view all = trimmed(text);
    const std::string_view number = all.substr(0, all.find_first_not_of("0123456789"));
    if (number.empty()) return refused("");
    std::string_view name = trimmed(all.substr(number.size()));
    if (name.empty()) name = "B";
    for (const SizeUnit& unit : size_units) {
        if (unit.name != name) continue;
        std::int64_t count = 0;
        std::int64_t bytes = 0;
        const auto read = std::from_chars(number.data(), number.data() + number.size(), count);
        if (read.ec != std::errc{} || __builtin_mul_overflow(count, unit.bytes, &bytes))
            return refused(", which is too large");
        return bytes;
    }
    if (name.front() == '.') return refused(" with a fraction");
    return refused(" with the unknown unit " + quote(name));
}

std::string size_text(std::int64_t bytes) {
    if (bytes <= 0) return "0B";
    for (const SizeUnit& unit : size_units)
        if (unit.written && bytes % unit.bytes == 0) return std::to_string(bytes / unit.bytes).append(unit.name);
    return std::to_string(bytes);
}

}  // namespace dormouse::config
