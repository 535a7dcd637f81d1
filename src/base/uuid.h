// A uuid as the 16 bytes that Postgres sends. Everybody may use this; it uses nothing of ours.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dormouse {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    /// 36 characters, lower case, with hyphens.
    [[nodiscard]] std::string to_string() const;
    /// Takes 32 hex digits with hyphens at the usual four places or none. Errors: nullopt.
    static std::optional<Uuid> parse(std::string_view text);
    /// A random (version 4) uuid from getrandom(2).
    static Uuid random();
    /// A version 7 uuid (RFC 9562): milliseconds since 1970 in front, so that names made of it sort by time.
    static Uuid time_ordered();

    auto operator<=>(const Uuid&) const = default;
};

}  // namespace dormouse

template <>
struct std::hash<dormouse::Uuid> {
    std::size_t operator()(const dormouse::Uuid& id) const noexcept {
        std::size_t tail = 0;  // the last eight bytes are random in every version we make
        for (std::size_t i = 8; i < 16; ++i) tail = (tail << 8U) | id.bytes.at(i);
        return tail;
    }
};
