// Parameters of one statement in Postgres's binary format: no quoting, no escaping, whatever the bytes are. Their types
// are inferred by the server from the statement, so each call here must fit the cast in the SQL. Source: the send
// functions of each type (src/backend/utils/adt), "Formats and Format Codes" in the protocol chapter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace dormouse::postgres {

class Params {
  public:
    Params& text(std::string_view value);
    Params& bigint(std::int64_t value);
    Params& integer(std::int32_t value);
    Params& uuid(const Uuid& value);
    Params& boolean(bool value);
    Params& null();
    Params& texts(const std::vector<std::string>& values);
    Params& texts(const std::vector<std::optional<std::string>>& values);
    Params& uuids(const std::vector<Uuid>& values);
    Params& bigints(const std::vector<std::optional<std::int64_t>>& values);
    Params& smallints(const std::vector<std::optional<int>>& values);
    /// Microseconds since 2000-01-01 00:00 UTC, as timestamptz travels.
    Params& timestamps(const std::vector<std::int64_t>& values);
    Params& booleans(const std::vector<bool>& values);

    [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
    /// What PQsendQueryParams wants; valid until this object changes.
    [[nodiscard]] std::vector<const char*> pointers() const;
    [[nodiscard]] std::vector<int> lengths() const;
    [[nodiscard]] std::vector<int> formats() const;

  private:
    std::vector<std::optional<std::string>> values_;
};

}  // namespace dormouse::postgres
