#include "postgres/result.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdlib>

namespace dormouse::postgres {

namespace {

/// Integers and floats travel in network byte order.
std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
    return value;
}

}  // namespace

bool Reply::ok() const {
    const ExecStatusType status = PQresultStatus(result_.get());
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_SINGLE_TUPLE ||
           status == PGRES_EMPTY_QUERY;
}

std::string_view Reply::sqlstate() const {
    const char* const state = PQresultErrorField(result_.get(), PG_DIAG_SQLSTATE);
    return state == nullptr ? std::string_view{} : std::string_view{state};
}

std::int64_t Reply::affected() const {
    // PQcmdTuples takes no const pointer, but changes nothing
    const std::string_view text = result_ ? PQcmdTuples(result_.get()) : "";
    std::int64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

std::string_view Reply::text(int row, int column) const {
    const char* const value = PQgetvalue(result_.get(), row, column);
    if (value == nullptr) return {};
    return {value, static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Reply::integer(int row, int column) const {
    const std::string_view value = text(row, column);
    if (!binary(column)) {
        std::int64_t number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number);
        return number;
    }
    switch (value.size()) {
        case 2:
            return static_cast<std::int16_t>(big_endian(value));
        case 4:
            return static_cast<std::int32_t>(big_endian(value));
        case 8:
            return static_cast<std::int64_t>(big_endian(value));
        default:
            return 0;
    }
}

double Reply::real(int row, int column) const {
    const std::string_view value = text(row, column);
    if (!binary(column))
        return value.empty() ? 0 : std::strtod(value.data(), nullptr);  // libpq ends values with a zero
    if (value.size() == 4) return std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(value)));
    return value.size() == 8 ? std::bit_cast<double>(big_endian(value)) : 0;
}

bool Reply::boolean(int row, int column) const {
    const std::string_view value = text(row, column);
    return !value.empty() && (binary(column) ? value[0] != 0 : value[0] == 't');
}

Uuid Reply::uuid(int row, int column) const {
    const std::string_view value = text(row, column);
    if (!binary(column)) return Uuid::parse(value).value_or(Uuid{});
    Uuid id;
    if (value.size() == id.bytes.size())
        std::transform(value.begin(), value.end(), id.bytes.begin(),
                       [](char byte) { return static_cast<std::uint8_t>(byte); });
    return id;
}

std::optional<std::string> Reply::optional_text(int row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return std::string(text(row, column));
}

std::optional<std::int64_t> Reply::optional_integer(int row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return integer(row, column);
}

std::optional<double> Reply::optional_real(int row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return real(row, column);
}

std::optional<Uuid> Reply::optional_uuid(int row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return uuid(row, column);
}

}  // namespace dormouse::postgres
