// What may name a pool. Every such name is its own escaped form, so %i, names of units and files and what people type
// are one string. Asked by the configuration and by dormouse-due, which trusts nobody with a path.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace dormouse {

/// Endings of files that lie beside those of a pool: with one of them a pool's file could be another pool's.
inline constexpr std::array<std::string_view, 6> taken_endings{".sock",  ".failures", ".timer",
                                                               ".ended", ".toml",     ".rejected"};

/// 1 to 63 of A-Z a-z 0-9 _ . -, no dot or dash in front, no "..", none of the endings above.
[[nodiscard]] constexpr bool valid_pool_name(std::string_view name) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return !name.empty() && name.size() <= 63 && name.front() != '.' && name.front() != '-' &&
           name.find_first_not_of(letters) == std::string_view::npos && name.find("..") == std::string_view::npos &&
           std::none_of(taken_endings.begin(), taken_endings.end(),
                        [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace dormouse
