// What a host's name tells, and what it does not.
#include "postgres/hosts.h"

#include <boost/test/unit_test.hpp>

#include "postgres/pooler_check.h"

BOOST_AUTO_TEST_SUITE(hosts)

using namespace dormouse::postgres;

BOOST_AUTO_TEST_CASE(hosts_of_providers_that_suspend_are_known) {
    for (const char* host :
         {"ep-cool-rain-123.eu-central-1.aws.neon.tech", "ep-cool-rain-123-pooler.eu-central-1.aws.neon.tech",
          "EP-COOL-RAIN-123.EU-CENTRAL-1.AWS.NEON.TECH", "ep-cool-rain-123.eu-central-1.aws.neon.tech.",
          "ep-a-b-1.us-east-1.postgres.vercel-storage.com", "ep-a-b-1.eu-central-1.pg.koyeb.app",
          "instance-1a2b.database.cloud.databricks.com", "ep-a-b-1.database.us-east-1.cloud.databricks.com"})
        BOOST_TEST(known_to_suspend(host), host);
}

BOOST_AUTO_TEST_CASE(others_are_not_taken_for_them) {
    for (const char* host :
         {"", ".", "localhost", "/run/postgresql", "10.0.0.7", "db.example", "neon.tech", "myneon.tech",
          "db.neon.tech.example", "db.xneon.tech", "mydb.cluster-abc.eu-central-1.rds.amazonaws.com",
          "db.abcdefgh.supabase.co", "adb-1.cloud.databricks.com", ".database.cloud.databricks.com"})
        BOOST_TEST(!known_to_suspend(host), host);
}

BOOST_AUTO_TEST_CASE(the_direct_host_of_a_pooler_is_told_where_its_name_shows_it) {
    BOOST_TEST(direct_host_for("ep-cool-rain-123-pooler.eu-central-1.aws.neon.tech") ==
               "ep-cool-rain-123.eu-central-1.aws.neon.tech");
    BOOST_TEST(direct_host_for("db.example").empty());
    BOOST_TEST(direct_host_for("my-pooler-host.example").empty());
    BOOST_TEST(direct_host_for("").empty());
}

BOOST_AUTO_TEST_CASE(who_is_refused_at_a_pooler_is_told_the_direct_host_where_there_is_one) {
    const dormouse::Error known = shared_sessions("ep-a-b-1-pooler.eu-central-1.aws.neon.tech", "its backend changes");
    BOOST_TEST((known.kind == dormouse::ErrorKind::incompatible));
    BOOST_TEST(known.message ==
               "the pooler at ep-a-b-1-pooler.eu-central-1.aws.neon.tech hands sessions around (transaction mode; its "
               "backend changes), so LISTEN cannot work: put the direct host into database.url "
               "(ep-a-b-1.eu-central-1.aws.neon.tech)");
    BOOST_TEST(shared_sessions("db.example", "").message.ends_with("put the direct host into database.url"));
}

BOOST_AUTO_TEST_SUITE_END()
