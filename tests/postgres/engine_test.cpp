// Which servers are taken, by what they say of themselves and by what they do.
#include "postgres/engine.h"

#include <boost/test/unit_test.hpp>

#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(engine, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using postgres::unfit_server;

BOOST_AUTO_TEST_CASE(servers_that_only_speak_like_postgres_are_refused_by_name) {
    BOOST_TEST(unfit_server("CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024/05/15)", 130'000)
                   .find("CockroachDB, which has") != std::string::npos);
    BOOST_TEST(unfit_server("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu", 150'002).find("YugabyteDB") !=
               std::string::npos);
    BOOST_TEST(
        unfit_server("PostgreSQL 13.14 (Debian 13.14-0) on x86_64-pc-linux-gnu, compiled by gcc", 130'014) ==
        "this server is PostgreSQL 13.14 (Debian 13.14-0), dormouse needs Postgres 14 or later; upgrade the server");
    BOOST_TEST(unfit_server("PostgreSQL 14.0 on x86_64-pc-linux-gnu", 140'000) == "");
    BOOST_TEST(unfit_server("PostgreSQL 18.1 on x86_64-pc-linux-gnu", 180'001) == "");
}

BOOST_AUTO_TEST_CASE(the_server_of_this_test_is_taken) {
    TestDatabase database(TestDatabase::Schema::none);
    auto connection = database.connect();
    const Status taken = postgres::require_postgres(connection);
    BOOST_TEST(taken.has_value(), (taken ? "" : taken.error().message));
    // others may hold that lock: it is theirs to refuse, and no reason to be refused
    auto other = database.connect();
    BOOST_TEST_REQUIRE(other.script("hold", "SELECT pg_advisory_lock(7237128940554646374)").has_value());
    BOOST_TEST(postgres::require_postgres(connection).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
