// The columns of dormouse.runs. It is everybody's table, so people add columns of their own, and these move along when
// a run ends. The statements that move rows have markers where the names of such columns go; where nobody has added
// any, they are sent as they stand in sql/queries. Driven by Wire: read() with each session, and again when a statement
// is refused because the columns have changed since.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace dormouse::store {

class Columns {
  public:
    /// `all`, in their order, and those that can be written: names as SQL has them, separated by ", ". Empty: as if
    /// nobody had added any. Returns whether that changes a statement.
    bool read(const std::string& all, const std::string& writable);
    /// Ours that were not among them, separated by ", ": somebody has renamed or dropped them.
    [[nodiscard]] const std::string& missing() const { return missing_; }
    /// What is sent for this statement of sql/queries. The text lives as long as this object.
    [[nodiscard]] const char* fit(const char* sql) const;

  private:
    std::string missing_;
    std::unordered_map<const char*, const char*> fitted_;
    std::unordered_set<std::string> texts_;  ///< never erased: a session knows statements by their address
};

}  // namespace dormouse::store
