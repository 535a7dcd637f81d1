// A database of one test case for tests that include the public headers: those and ours each have a `Result`, so
// nothing of ours is included here. Used by tests of libdormouse.
#pragma once

#include <boost/test/tools/assertion_result.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dormouse::testing {

boost::test_tools::assertion_result postgres_is_here(boost::unit_test::test_unit_id);

class BareDatabase {
  public:
    BareDatabase();
    ~BareDatabase();
    BareDatabase(const BareDatabase&) = delete;
    BareDatabase& operator=(const BareDatabase&) = delete;

    /// As TestDatabase::value(): the first column of the first row.
    std::string value(const std::string& sql);
    /// dormouse.enqueue(); the run's id.
    std::string enqueue(const std::string& task, const std::string& payload = "{}");
    /// A column of a run: "status", "result", …
    std::string run(const std::string& id, const std::string& column);
    /// A pool's file for this database, with more of it below.
    std::string file(const std::string& toml = "");

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Looks again and again until it is so; false after 20 s.
bool soon(const std::function<bool()>& happened);

/// A program as a process of its own.
class Outside {
  public:
    explicit Outside(std::vector<std::string> argv);
    ~Outside();
    /// True as soon as its stderr holds `text`.
    bool said(const std::string& text);
    void terminate();
    /// Its exit code; -1 for a signal. Call it once.
    int wait();
    std::string errors;  ///< all of its stderr, after wait()

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

extern const char* const the_embed_binary;
extern const char* const the_example_binary;
extern const char* const the_dormouse_binary;

}  // namespace dormouse::testing
