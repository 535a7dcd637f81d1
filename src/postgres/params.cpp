#include "postgres/params.h"

#include <concepts>

namespace dormouse::postgres {
namespace {

// Type numbers are fixed for ever. Source: src/include/catalog/pg_type.dat.
constexpr std::int32_t oid_bool = 16;
constexpr std::int32_t oid_int8 = 20;
constexpr std::int32_t oid_int2 = 21;
constexpr std::int32_t oid_text = 25;
constexpr std::int32_t oid_timestamptz = 1184;
constexpr std::int32_t oid_uuid = 2950;

template <std::integral T>
void append(std::string& out, T value) {
    for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> static_cast<unsigned>(shift)) & 0xFFU));
}

std::string array_header(std::int32_t element_type, std::size_t size) {
    std::string out;
    append(out, static_cast<std::int32_t>(size == 0 ? 0 : 1));  // dimensions
    append(out, std::int32_t{1});                               // may contain nulls
    append(out, element_type);
    if (size == 0) return out;
    append(out, static_cast<std::int32_t>(size));
    append(out, std::int32_t{1});  // lower bound
    return out;
}

void append_bytes(std::string& out, std::string_view bytes) {
    append(out, static_cast<std::int32_t>(bytes.size()));
    out.append(bytes);
}

void append_null(std::string& out) {
    append(out, std::int32_t{-1});
}

std::string_view bytes_of(const Uuid& id) {
    return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};  // NOLINT: the same bytes
}

}  // namespace

Params& Params::text(std::string_view value) {
    values_.emplace_back(std::string(value));
    return *this;
}

Params& Params::bigint(std::int64_t value) {
    append(values_.emplace_back(std::string()).value(), value);
    return *this;
}

Params& Params::integer(std::int32_t value) {
    append(values_.emplace_back(std::string()).value(), value);
    return *this;
}

Params& Params::uuid(const Uuid& value) {
    return text(bytes_of(value));
}

Params& Params::boolean(bool value) {
    return text(value ? std::string_view("\1", 1) : std::string_view("\0", 1));
}

Params& Params::null() {
    values_.emplace_back(std::nullopt);
    return *this;
}

Params& Params::texts(const std::vector<std::string>& values) {
    std::string out = array_header(oid_text, values.size());
    for (const auto& value : values) append_bytes(out, value);
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::texts(const std::vector<std::optional<std::string>>& values) {
    std::string out = array_header(oid_text, values.size());
    for (const auto& value : values) value ? append_bytes(out, *value) : append_null(out);
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::uuids(const std::vector<Uuid>& values) {
    std::string out = array_header(oid_uuid, values.size());
    for (const auto& value : values) append_bytes(out, bytes_of(value));
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::bigints(const std::vector<std::optional<std::int64_t>>& values) {
    std::string out = array_header(oid_int8, values.size());
    for (const auto& value : values) {
        if (!value) {
            append_null(out);
            continue;
        }
        append(out, std::int32_t{8});
        append(out, *value);
    }
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::smallints(const std::vector<std::optional<int>>& values) {
    std::string out = array_header(oid_int2, values.size());
    for (const auto& value : values) {
        if (!value) {
            append_null(out);
            continue;
        }
        append(out, std::int32_t{2});
        append(out, static_cast<std::int16_t>(*value));
    }
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::timestamps(const std::vector<std::int64_t>& values) {
    std::string out = array_header(oid_timestamptz, values.size());
    for (const std::int64_t value : values) {
        append(out, std::int32_t{8});
        append(out, value);
    }
    values_.emplace_back(std::move(out));
    return *this;
}

Params& Params::booleans(const std::vector<bool>& values) {
    std::string out = array_header(oid_bool, values.size());
    for (const bool value : values) append_bytes(out, value ? std::string_view("\1", 1) : std::string_view("\0", 1));
    values_.emplace_back(std::move(out));
    return *this;
}

std::vector<const char*> Params::pointers() const {
    std::vector<const char*> out;
    for (const auto& value : values_) out.push_back(value ? value->data() : nullptr);
    return out;
}

std::vector<int> Params::lengths() const {
    std::vector<int> out;
    for (const auto& value : values_) out.push_back(value ? static_cast<int>(value->size()) : 0);
    return out;
}

std::vector<int> Params::formats() const {
    return std::vector<int>(values_.size(), 1);
}

}  // namespace dormouse::postgres
