// What the server answered to one statement: the owner of a PGresult, and typed getters. Made by the sessions
// of this folder, read by whoever sent the statement. Getters read text and binary format alike, so that a
// query can be used from the blocking and from the pipelined session. Never asks the server anything.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/uuid.h"

namespace dormouse::postgres {

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

class Reply {
  public:
    Reply() = default;
    /// Takes ownership; nullptr (out of memory, or no more results) is allowed and not ok().
    explicit Reply(PGresult* result) : result_(result) {}
    explicit Reply(ResultPtr result) : result_(std::move(result)) {}

    [[nodiscard]] const PGresult* get() const { return result_.get(); }
    /// True when the statement did what it says, with or without rows.
    [[nodiscard]] bool ok() const;
    /// The SQLSTATE of a failure; empty when there is none, also for failures that libpq itself found.
    [[nodiscard]] std::string_view sqlstate() const;

    [[nodiscard]] int rows() const { return PQntuples(result_.get()); }
    [[nodiscard]] int columns() const { return PQnfields(result_.get()); }
    /// Rows inserted, updated, deleted or selected.
    [[nodiscard]] std::int64_t affected() const;

    // A null is "", 0, false or nil; ask is_null() or take the optional_ form where the difference counts. A
    // value that is not of the type asked for is 0 as well: that is an error in the query, which its test
    // finds.
    [[nodiscard]] bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
    [[nodiscard]] std::string_view text(int row, int column) const;  ///< valid while this object lives
    [[nodiscard]] std::int64_t integer(int row, int column) const;
    [[nodiscard]] double real(int row, int column) const;  ///< knows Infinity
    [[nodiscard]] bool boolean(int row, int column) const;
    [[nodiscard]] Uuid uuid(int row, int column) const;
    [[nodiscard]] std::optional<std::string> optional_text(int row, int column) const;
    [[nodiscard]] std::optional<std::int64_t> optional_integer(int row, int column) const;
    [[nodiscard]] std::optional<double> optional_real(int row, int column) const;
    [[nodiscard]] std::optional<Uuid> optional_uuid(int row, int column) const;

  private:
    [[nodiscard]] bool binary(int column) const { return PQfformat(result_.get(), column) == 1; }
    ResultPtr result_;
};

}  // namespace dormouse::postgres
