// Programs of the servers that the tests run on, for suites that dump, copy, restore and upgrade. Used by tests only.
#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/process.h"

namespace dormouse::testing {

inline std::string server_program(const std::string& name) {
    static const std::string directory = [] {
        TestDatabase database(TestDatabase::Schema::none);
        return database.value("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
    }();
    return directory + "/" + name;
}

/// For suites: skipped, by name, where one of them is not installed.
inline boost::test_tools::assertion_result has_server_programs(boost::unit_test::test_unit_id id,
                                                               const std::vector<std::string>& names) {
    boost::test_tools::assertion_result result = has_postgres(id);
    if (!result) return result;
    for (const std::string& name : names)
        if (::access(server_program(name).c_str(), X_OK) != 0) {
            boost::test_tools::assertion_result none(false);
            none.message() << "there is no " << server_program(name);
            return none;
        }
    return result;
}

inline void succeed(std::vector<std::string> command) {
    const Ended ended = run({std::move(command), {}, {}, {}, Millis{120'000}});
    BOOST_TEST_REQUIRE(ended.exit_code == 0, ended.err << ended.out);
}

/// Who may own a data directory; Postgres refuses to be root.
inline void give_to_owner_of(const std::string& reference, const std::string& path) {
    if (::geteuid() == 0) succeed({"chown", "-R", "--reference=" + reference, path});
}

/// A server that is no test database's: asked with a session for each question.
inline std::string asked(const std::string& url, const std::string& sql,
                         const postgres::BlockingConnection::Texts& parameters = {}) {
    auto session = postgres::BlockingConnection::open(url, {});
    if (!session) return "no session: " + session.error().message;
    const auto reply = session->ask("test", sql, parameters);
    if (!reply) return "refused: " + reply.error().message;
    return reply->rows() == 0 ? std::string() : std::string(reply->text(0, 0));
}

/// Everything that `dormouse` says of a database in which nothing is wrong.
inline void nothing_is_wrong_with(const std::string& url) {
    const Ended checked = run(cli_program({"migrate", "--check"}, {{"DATABASE_URL", url}}));
    BOOST_TEST(checked.exit_code == 0, checked.out << checked.err);
    const Ended status = run(cli_program({"status", "--json"}, {{"DATABASE_URL", url}}));
    BOOST_TEST((status.exit_code == 0 || status.exit_code == 13),
               status.out << status.err);  // 13: nobody serves a queue
    BOOST_TEST(status.err == "");
}

}  // namespace dormouse::testing
