// One session in pipeline mode: answers in order, errors that undo one exchange and no other, notifications at any
// moment, and an owner that closes it from inside its callbacks.
#include "postgres/session.h"

#include <boost/test/unit_test.hpp>

#include "loop/timer.h"
#include "postgres/target.h"
#include "support/cluster.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(session, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using namespace dormouse::postgres;

namespace {

using Answer = Result<std::vector<Reply>>;

struct Bench {
    loop::Loop loop;
    std::vector<std::string> heard;
    std::optional<Error> lost;
    std::function<void()> on_heard = [] {};
    std::unique_ptr<Session> session;

    explicit Bench(const std::string& url) {
        std::optional<Result<ConnectionPtr>> made;
        const Connector connector(loop, parse_target(url, "").value(), Millis{10'000},
                                  [&](Result<ConnectionPtr> result) { made = std::move(result); });
        while (!made) loop.turn();
        BOOST_TEST_REQUIRE(made->has_value());
        Session::Events events;
        events.on_notification = [this](const std::string& channel, const std::string&) {
            heard.push_back(channel);
            on_heard();
        };
        events.on_lost = [this](Error error) { lost = std::move(error); };
        session = std::make_unique<Session>(loop, std::move(**made), std::move(events));
    }
    bool until(const std::function<bool()>& happened) {
        bool over = false;
        loop::Timer deadline(loop, "deadline");
        deadline.once(Millis{60'000}, [&] { over = true; });
        while (!happened() && !over) loop.turn();
        return !over;
    }
    Answer ask(std::vector<Statement> statements) {
        std::optional<Answer> answer;
        session->exchange(std::move(statements), [&](Answer got) { answer = std::move(got); });
        BOOST_TEST_REQUIRE(until([&] { return answer.has_value(); }));
        return std::move(*answer);
    }
};

Statement plain(const char* sql) {
    return {sql, {}, false};
}
Statement prepared(const char* sql, std::int64_t value) {
    Statement statement{sql, {}, true};
    statement.params.bigint(value);
    return statement;
}

constexpr const char* echo = "SELECT $1::bigint";

}  // namespace

BOOST_AUTO_TEST_CASE(exchanges_are_answered_in_their_order) {
    const TestDatabase database;
    Bench bench(database.url());
    std::vector<std::int64_t> got;
    for (std::int64_t i = 0; i < 100; ++i)
        bench.session->exchange({prepared(echo, i), prepared(echo, -i)}, [&](const Answer& answer) {
            got.push_back(answer->at(0).integer(0, 0));
            BOOST_TEST(answer->at(1).integer(0, 0) == -got.back());
        });
    BOOST_TEST_REQUIRE(bench.until([&] { return got.size() == 100; }));
    for (std::int64_t i = 0; i < 100; ++i) BOOST_TEST(got.at(static_cast<std::size_t>(i)) == i);
    BOOST_TEST(bench.session->statements_sent() == 200U);
}

BOOST_AUTO_TEST_CASE(an_error_undoes_its_own_exchange_and_no_other) {
    TestDatabase database;
    database.exec("CREATE TABLE t (n bigint)");
    Bench bench(database.url());
    int answered = 0;
    bench.session->exchange({plain("INSERT INTO t VALUES (1)")},
                            [&](const Answer& answer) { answered += answer.has_value(); });
    bench.session->exchange({plain("INSERT INTO t VALUES (2)"), plain("SELECT 1 / 0"), prepared(echo, 1)},
                            [&](const Answer& answer) {
                                BOOST_TEST_REQUIRE(!answer.has_value());
                                BOOST_TEST((answer.error().kind == ErrorKind::invalid));
                                ++answered;
                            });
    bench.session->exchange({plain("INSERT INTO t VALUES (3)"), prepared(echo, 2)},
                            [&](const Answer& answer) { answered += answer.has_value(); });
    BOOST_TEST_REQUIRE(bench.until([&] { return answered == 3; }));
    BOOST_TEST(database.value("SELECT string_agg(n::text, ' ') FROM t") == "1 3");
    BOOST_TEST(bench.ask({prepared(echo, 7)})->at(0).integer(0, 0) == 7);
}

BOOST_AUTO_TEST_CASE(notifications_are_heard_at_rest_and_while_something_is_on_the_wire) {
    TestDatabase database;
    Bench bench(database.url());
    BOOST_TEST_REQUIRE(bench.ask({plain("LISTEN c")}).has_value());
    database.exec("NOTIFY c");
    BOOST_TEST(bench.until([&] { return bench.heard.size() == 1; }));
    int answered = 0;
    bench.session->exchange({plain("SELECT pg_sleep(0.2)")}, [&](const Answer&) { ++answered; });
    bench.loop.turn(false);
    database.exec("NOTIFY c");
    BOOST_TEST(bench.until([&] { return bench.heard.size() == 2 && answered == 1; }));
}

BOOST_AUTO_TEST_CASE(a_large_exchange_goes_out_in_pieces) {
    const TestDatabase database;
    Bench bench(database.url());
    Statement statement{"SELECT length($1::text)", {}, false};
    statement.params.text(std::string(64 << 20, 'x'));
    BOOST_TEST(bench.ask({statement})->at(0).integer(0, 0) == 64 << 20);
}

BOOST_AUTO_TEST_CASE(a_session_that_ends_is_told_once_with_or_without_something_on_the_wire) {
    for (const bool busy : {false, true}) {
        TestDatabase database;
        Bench bench(database.url());
        int answered = 0;
        if (busy) bench.session->exchange({plain("SELECT pg_sleep(60)")}, [&](const Answer&) { ++answered; });
        bench.loop.turn(false);
        database.value("SELECT pg_terminate_backend(" + std::to_string(bench.session->backend_pid()) + ")");
        BOOST_TEST(bench.until([&] { return bench.lost.has_value(); }));
        BOOST_TEST((bench.lost->kind == ErrorKind::disconnected));
        BOOST_TEST(answered == 0);
        bench.session->exchange({plain("SELECT 1")}, [&](const Answer&) { ++answered; });
        bench.loop.turn(false);
        BOOST_TEST(answered == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_cut_is_noticed) {
    const TestDatabase database;
    ProxyTcp proxy(Cluster::shared().socket_directory(), Cluster::shared().port());
    Bench bench(proxy.url(database.name()));
    proxy.cut();
    BOOST_TEST(bench.until([&] { return bench.lost.has_value(); }));
}

BOOST_AUTO_TEST_CASE(its_owner_may_shut_it_inside_an_answer) {
    const TestDatabase database;
    Bench bench(database.url());
    int answered = 0;
    for (int i = 0; i < 3; ++i)
        bench.session->exchange({plain("SELECT 1")}, [&](const Answer&) {
            ++answered;
            bench.session->shut();
        });
    BOOST_TEST(bench.until([&] { return answered == 1; }));
    bench.session.reset();
    bench.loop.turn(false);
    BOOST_TEST(answered == 1);
    BOOST_TEST(!bench.lost.has_value());
}

BOOST_AUTO_TEST_CASE(its_owner_may_shut_it_inside_a_notification_and_hears_no_more) {
    TestDatabase database;
    Bench bench(database.url());
    BOOST_TEST_REQUIRE(bench.ask({plain("LISTEN c")}).has_value());
    bench.on_heard = [&] { bench.session->shut(); };
    database.exec("BEGIN; NOTIFY c, '1'; NOTIFY c, '2'; NOTIFY c, '3'; COMMIT");
    BOOST_TEST(bench.until([&] { return !bench.heard.empty(); }));
    BOOST_TEST(bench.heard.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
