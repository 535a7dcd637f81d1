// What sessions are told of comes on channels whose names only they can know who may use the schema: NOTIFY takes no
// privilege, and a flood of large ones holds up whoever listens.
#include <boost/test/unit_test.hpp>

#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(channels, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

struct Fixture {
    TestDatabase database;
    std::string guest = "guest_" + database.name();

    Fixture() { database.exec("CREATE ROLE " + guest + " LOGIN"); }
    ~Fixture() { database.exec("DROP ROLE " + guest); }

    std::string channel(const std::string& topic) { return database.value("SELECT dormouse.channel($1)", {topic}); }
    /// Whether a guest is told this, and if not why.
    std::string guest_sees(const std::string& sql) const {
        auto session = database.connect(guest);
        const auto reply = session.ask("guest", sql);
        return reply ? std::string(reply->text(0, 0)) : reply.error().message;
    }
    std::string heard(postgres::BlockingConnection& session) {
        database.exec("SELECT pg_notify(dormouse.channel('mark'), '')");
        std::string topics;
        while (true) {
            const auto one = session.wait(BootClock::now() + std::chrono::seconds(20));
            BOOST_TEST_REQUIRE((one.has_value() && one->has_value()));
            if ((*one)->topic == "mark") return topics;
            topics += (*one)->topic + " ";
        }
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(who_may_merely_connect_cannot_find_their_names_out, Fixture) {
    BOOST_TEST(guest_sees("SELECT dormouse.channel('queue:default')").find("permission denied") != std::string::npos);
    BOOST_TEST(guest_sees("SELECT dormouse.listens('default')").find("permission denied") != std::string::npos);
    BOOST_TEST(guest_sees("SELECT key::text FROM dormouse.channel_key").find("permission denied") != std::string::npos);
    auto session = database.connect();
    BOOST_TEST_REQUIRE(session.listen({"queue:default"}).has_value());
    BOOST_TEST_REQUIRE(session.script("plainly", "LISTEN \"" + channel("queue:default") + "\"").has_value());
    const std::string shown = guest_sees("SELECT string_agg(to_jsonb(a)::text, ' ') FROM pg_stat_activity a");
    BOOST_TEST(shown.find(guest) != std::string::npos);
    BOOST_TEST(shown.find(channel("queue:default")) == std::string::npos);
    // nor by a long way round: the definition of what sends them, a plan, a lock
    BOOST_TEST(guest_sees("SELECT string_agg(prosrc || coalesce(pg_get_functiondef(p.oid), ''), ' ') FROM pg_proc p "
                          "WHERE pronamespace = to_regnamespace('dormouse') AND prokind = 'f'")
                   .find(database.value("SELECT key FROM dormouse.channel_key")) == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(what_a_guest_guesses_nobody_hears, Fixture) {
    auto session = database.connect();
    BOOST_TEST_REQUIRE(
        session.listen({"queue:default", "done", "news", "mark", std::string("worker:") + worker}).has_value());
    auto stranger = database.connect(guest);
    for (const std::string& guess :
         {std::string("dormouse"), std::string("dormouse:default"), std::string("dormouse:queue:default"),
          std::string("queue:default"), std::string("done"), std::string("dormouse:done"), std::string("news"),
          std::string("dormouse@") + worker, std::string("worker:") + worker,
          "dormouse:" + database.value("SELECT left(encode(sha256('queue:default'), 'hex'), 32)")})
        BOOST_TEST_REQUIRE(stranger.ask("flood", "SELECT pg_notify($1, '')", {guess}).has_value());
    BOOST_TEST(heard(session) == "");
    database.exec("SELECT dormouse.notify_worker('" + std::string(worker) + "')");
    BOOST_TEST(heard(session) == std::string("worker:") + worker + " ");
}

BOOST_FIXTURE_TEST_CASE(each_key_and_each_topic_has_its_own, Fixture) {
    const std::string before = channel("done");
    BOOST_TEST(channel("done") == before);
    BOOST_TEST(channel("queue:done") != before);
    database.exec("UPDATE dormouse.channel_key SET key = gen_random_uuid()");
    BOOST_TEST(channel("done") != before);
    BOOST_TEST(channel(std::string(1000, 'q')).size() < 64U);
    // a queue that is called as what everybody is told
    auto session = database.connect();
    BOOST_TEST_REQUIRE(session.listen({"done", "mark"}).has_value());
    database.exec("SET dormouse.notify = 'always'; SELECT dormouse.enqueue('t', queue => 'done')");
    BOOST_TEST(heard(session) == "");
}

BOOST_FIXTURE_TEST_CASE(somebody_elses_session_listens_by_one_function, Fixture) {
    auto session = database.connect();
    const auto reply = session.ask("listens", "SELECT dormouse.listens('mail')");
    BOOST_TEST_REQUIRE(reply.has_value());
    BOOST_TEST(reply->text(0, 0) == channel("queue:mail"));
    database.exec("SELECT dormouse.enqueue('t', queue => 'mail')");
    const auto told = session.wait(BootClock::now() + std::chrono::seconds(20));
    BOOST_TEST_REQUIRE((told.has_value() && told->has_value()));
    BOOST_TEST((*told)->topic == channel("queue:mail"));
}

BOOST_FIXTURE_TEST_CASE(who_listens_waits_for_no_lock_that_a_guest_may_hold, Fixture) {
    auto stranger = database.connect(guest);
    BOOST_TEST_REQUIRE(
        stranger.ask("lock", "SELECT pg_advisory_lock(hashtextextended('mail', 1685024366))").has_value());
    auto session = database.connect();
    BOOST_TEST_REQUIRE(session.script("bounded", "SET statement_timeout = '5s'").has_value());
    const auto refused = session.ask("listens", "SELECT dormouse.listens('mail')");
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().message.find("queue \"mail\" is kept from registering by " + guest + " (pid " +
                                            std::to_string(PQbackendPID(stranger.get())) + ")") != std::string::npos,
               refused.error().message);
    BOOST_TEST(session.ask("listens", "SELECT dormouse.listens('other')").has_value());
    BOOST_TEST_REQUIRE(stranger.ask("unlock", "SELECT pg_advisory_unlock_all()").has_value());
    BOOST_TEST(session.ask("listens", "SELECT dormouse.listens('mail')").has_value());
}

BOOST_FIXTURE_TEST_CASE(a_key_that_has_gone_or_doubled_refuses_no_insert, Fixture) {
    for (const char* const harm :
         {"INSERT INTO dormouse.channel_key DEFAULT VALUES", "DELETE FROM dormouse.channel_key"}) {
        database.exec(harm);
        auto session = database.connect();
        BOOST_TEST_REQUIRE(session.listen({"queue:default", "mark"}).has_value());
        database.exec("SET dormouse.notify = 'always'; SELECT dormouse.enqueue('t')");
        BOOST_TEST(heard(session) == "queue:default ", harm);
    }
    // that is how the guess above would be heard
    auto session = database.connect();
    BOOST_TEST_REQUIRE(session.listen({"queue:default", "mark"}).has_value());
    auto stranger = database.connect(guest);
    BOOST_TEST_REQUIRE(
        stranger
            .ask("flood", "SELECT pg_notify($1, '')",
                 {"dormouse:" + database.value("SELECT left(encode(sha256('queue:default'), 'hex'), 32)")})
            .has_value());
    BOOST_TEST(heard(session) == "queue:default ");
}

BOOST_AUTO_TEST_SUITE_END()
