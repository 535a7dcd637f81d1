// Fences, ids and workers that are wrong, old or forged: no statement of a worker touches a row by them, nor does a
// call of an operator.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/process.h"

namespace forged {

using namespace dormouse;
using namespace dormouse::testing;
using postgres::BlockingConnection;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";
constexpr const char* another = "00000000-0000-4000-8000-000000000002";
constexpr const char* nobody = "00000000-0000-4000-8000-00000000dead";

struct Fixture {
    TestDatabase database;
    BlockingConnection session = database.connect();

    std::string enqueue() { return database.value("SELECT dormouse.enqueue('t')"); }
    std::string claim() {
        database.value(sql::claim, {"{default}", "100", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
        return database.value("SELECT max(fence) FROM dormouse.runs_live");
    }
    int rows(const char* statement, const BlockingConnection::Texts& parameters) {
        const auto reply = session.ask("forged", statement, parameters);
        BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
        return reply->rows();
    }
    /// All that a worker can do to a run it says it holds; how many rows each touched, one after the other.
    std::string touched(const std::string& who, const std::string& id, const std::string& fence) {
        const std::string ids = "{" + id + "}";
        const std::string fences = "{" + fence + "}";
        const int extended = rows(sql::extend, {who, ids, fences, "3600000"});
        const int back = rows(
            sql::put_back, {who, ids, fences, "{retry}", "{0}", "{t}", "{NULL}", "{1}", "{NULL}", "{NULL}", "{NULL}"});
        const int ended = rows(sql::finish, {who, ids, fences, "{completed}", "{\"1\"}", "{NULL}", "{0}", "{NULL}",
                                             "{NULL}", "{NULL}", "{t}"});
        return std::to_string(extended) + " " + std::to_string(back) + " " + std::to_string(ended);
    }
    std::string all() {
        return database.value(
            "SELECT md5(coalesce((SELECT string_agg(r::text, '' ORDER BY id) FROM dormouse.runs r), '')"
            " || coalesce((SELECT string_agg(a::text, '' ORDER BY run_id, fence) FROM dormouse.attempt_log a), '')"
            " || coalesce((SELECT string_agg(w::text, '' ORDER BY id) FROM dormouse.worker_registry w), ''))");
    }
};

}  // namespace

}  // namespace forged

BOOST_FIXTURE_TEST_SUITE(forged, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_fence_that_is_wrong_or_forged_extends_returns_and_ends_nothing) {
    const std::string id = enqueue();
    const std::string other = enqueue();
    const std::string fence = claim();
    const std::string of_id = database.value("SELECT fence FROM dormouse.runs WHERE id = $1", {id});
    const std::string of_other = database.value("SELECT fence FROM dormouse.runs WHERE id = $1", {other});
    const std::string before = all();
    const std::string next = std::to_string(std::stoll(fence) + 1);
    for (const std::string& wrong :
         {std::string("0"), std::string("-1"), std::string("9223372036854775807"), std::string("NULL"), next, of_other})
        BOOST_TEST(touched(worker, id, wrong) == "0 0 0", wrong);
    BOOST_TEST(touched(another, id, of_id) == "0 0 0");     // the fence of somebody else
    BOOST_TEST(touched(nobody, id, of_id) == "0 0 0");      // who was never registered
    BOOST_TEST(touched(worker, nobody, of_id) == "0 0 0");  // a run that is not there
    BOOST_TEST(all() == before);
    BOOST_TEST(touched(worker, id, of_id) == "1 1 0");  // and the right one: extended, put back, then old
}

BOOST_AUTO_TEST_CASE(a_fence_of_an_earlier_attempt_is_worth_nothing) {
    const std::string id = enqueue();
    const std::string old = claim();
    database.exec("UPDATE dormouse.runs SET status = 'queued'");
    std::string before = all();
    BOOST_TEST(touched(worker, id, old) == "0 0 0");  // while it waits
    BOOST_TEST(all() == before);
    const std::string now = claim();
    BOOST_TEST(now != old);
    before = all();
    BOOST_TEST(touched(worker, id, old) == "0 0 0");  // while the same worker executes it again
    BOOST_TEST(all() == before);
    database.exec("UPDATE dormouse.runs SET status = 'canceled'");
    before = all();
    BOOST_TEST(touched(worker, id, old) == "0 0 0");  // and when it has ended
    BOOST_TEST(touched(worker, id, now) == "0 0 0");
    BOOST_TEST(all() == before);
}

BOOST_AUTO_TEST_CASE(a_lease_that_has_ended_still_needs_the_right_fence_to_be_taken_back) {
    const std::string id = enqueue();
    const std::string fence = claim();
    database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s'");
    BOOST_TEST(database.value(sql::rescue_own, {"{default}", "{" + std::string(nobody) + "}"}) == "0");
    BOOST_TEST(database.value(sql::release_forgotten, {"{default}", worker, "{" + fence + "}"}) == "0");
    BOOST_TEST(database.value(sql::release_forgotten, {"{default}", another, "{}"}) == "0");
    BOOST_TEST(database.value(sql::rescue, {"{elsewhere}", "{}", "10", nobody, nobody, "86400000", "{}"}) == "0");
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "running");
    // of ours it leaves what we know that we hold
    BOOST_TEST(database.value(sql::rescue, {"{default}", "{}", "10", nobody, worker, "86400000", "{" + fence + "}"}) ==
               "0");
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "running");
    BOOST_TEST(database.value(sql::rescue, {"{default}", "{}", "10", nobody, nobody, "86400000", "{}"}) == "1");
    BOOST_TEST(touched(worker, id, fence) == "0 0 0");
}

BOOST_AUTO_TEST_CASE(marks_of_a_process_that_do_not_match_release_nobody) {
    constexpr const char* boot = "00000000-0000-4000-8000-00000000b001";
    database.value(sql::worker_arrives, {worker, "pool", "{default}", "", "host", "17", "4711", boot, std::nullopt,
                                         "0.1.0", std::nullopt, std::nullopt, std::nullopt, "false", std::nullopt});
    enqueue();
    claim();
    const std::string before = all();
    const auto release = [&](const BlockingConnection::Texts& marks) {
        return database.value("SELECT released FROM dormouse.release_worker($1, $2, $3, $4, $5)", marks);
    };
    for (const BlockingConnection::Texts& marks :
         std::initializer_list<BlockingConnection::Texts>{{nobody, "host", "17", "4711", boot},
                                                          {worker, "another", "17", "4711", boot},
                                                          {worker, "host", "18", "4711", boot},
                                                          {worker, "host", "-1", "4711", boot},
                                                          {worker, "host", "17", "4710", boot},
                                                          {worker, "host", "17", "4711", nobody},
                                                          {worker, std::nullopt, "17", "4711", boot},
                                                          {std::nullopt, "host", "17", "4711", boot}})
        BOOST_TEST(release(marks) == "");
    BOOST_TEST(all() == before);
    // on a machine that another may be named like, a lease that stands is respected
    BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2, true)",
                              {worker, boot}) == "");
    BOOST_TEST(all() == before);
    database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s'");
    BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2, true)",
                              {worker, boot}) == "1");
}

BOOST_AUTO_TEST_CASE(a_run_that_was_released_counts_as_lost_and_the_third_time_is_the_last) {
    constexpr const char* boot = "00000000-0000-4000-8000-00000000b001";
    database.value(sql::worker_arrives, {worker, "pool", "{default}", "", "host", "17", "4711", boot, std::nullopt,
                                         "0.1.0", std::nullopt, std::nullopt, std::nullopt, "false", std::nullopt});
    database.exec("UPDATE dormouse.worker_registry SET session_pid = NULL");  // its session is gone
    enqueue();
    for (const char* const times : {"1 1", "2 2", "3 3"}) {
        claim();
        BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2)",
                                  {worker, boot}) == "1");
        BOOST_TEST(database.value("SELECT concat_ws(' ', lost, attempts) FROM dormouse.runs") == times);
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'") == "3");
}

// An operator may take back what dead workers hold. Which of them are dead is not for him to say.
BOOST_AUTO_TEST_CASE(a_worker_whose_session_lives_keeps_the_runs_whose_leases_stand) {
    constexpr const char* boot = "00000000-0000-4000-8000-00000000b001";
    {
        auto of_the_worker = database.connect();
        BOOST_REQUIRE(of_the_worker
                          .ask("arrives", sql::worker_arrives,
                               {worker, "pool", "{default}", "", "host", "17", "4711", boot, std::nullopt, "0.1.0",
                                std::nullopt, std::nullopt, std::nullopt, "false", std::nullopt})
                          .has_value());
        enqueue();
        claim();
        const std::string before = all();
        for (const char* const unseen : {"false", "true"})
            BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2, $3)",
                                      {worker, boot, unseen}) == "");
        const std::string refused =
            database.value("SELECT refused FROM dormouse.release_worker($1, 'host', 17, 4711, $2)", {worker, boot});
        BOOST_TEST(refused.find("of pool pool on host (process 17) has a session (pid " +
                                std::to_string(PQbackendPID(of_the_worker.get()))) != std::string::npos,
                   refused);
        BOOST_TEST(refused.find("`dormouse reap --force` on its host") != std::string::npos, refused);
        BOOST_TEST(all() == before);
        // a lease that has ended is nobody's
        database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s'");
        BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2)",
                                  {worker, boot}) == "1");
        claim();
        database.exec("UPDATE dormouse.worker_registry SET state = 'awake', left_at = NULL, ended = NULL");
        BOOST_TEST(database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2)",
                                  {worker, boot}) == "");
    }
    BOOST_TEST(eventually([&] {
        return database.value("SELECT released FROM dormouse.release_worker($1, 'host', 17, 4711, $2)",
                              {worker, boot}) == "1";
    }));
}

// What a worker moves is neither noted by triggers nor told, since it does both itself. Anybody can call a session one.
BOOST_AUTO_TEST_CASE(what_operations_do_is_noted_and_told_whatever_a_session_says_that_it_is) {
    apply_roles(database);
    const std::string app = "app_" + database.name();
    const std::string ops = "ops_" + database.name();
    database.exec("CREATE ROLE " + app + " LOGIN IN ROLE dormouse_producer; CREATE ROLE " + ops +
                  " LOGIN IN ROLE dormouse_operator");
    {
        auto producer = database.connect(app);
        auto person = database.connect(ops);
        for (BlockingConnection* const one : {&producer, &person})
            BOOST_REQUIRE(one->script("say", "SET dormouse.session = 'worker'"));
        const auto ask = [](BlockingConnection& who, const std::string& what) {
            const auto reply = who.ask("", "SELECT " + what);
            BOOST_REQUIRE_MESSAGE(reply.has_value(), what << ": " << (reply ? "" : reply.error().message));
            return std::string(reply->text(0, 0));
        };
        // of three days ago: only dormouse.strays says where it is
        const auto old_run = [&] {
            return database.value(
                "INSERT INTO dormouse.runs (id, task, run_at) SELECT (lpad(to_hex((extract(epoch FROM now() - interval "
                "'3 days') * 1000)::bigint), 12, '0') || '7' || right(translate(gen_random_uuid()::text, '-', ''), "
                "19))::uuid, 'u', 'infinity' RETURNING id");
        };
        for (const auto& [who, call] : {std::pair{&producer, "dormouse.cancel(%)"},
                                        {&person, "dormouse.cancel(%)"},
                                        {&person, "dormouse.archive(%)"},
                                        {&person, "dormouse.cancel_runs(task => 'u')"},
                                        {&person, "dormouse.archive_runs(status => 'queued', task => 'u')"}}) {
            const std::string id = old_run();
            std::string text = call;
            if (const auto at = text.find('%'); at != std::string::npos) text.replace(at, 1, "'" + id + "'");
            ask(*who, text);
            BOOST_TEST(database.value("SELECT status FROM dormouse.result($1)", {id}) == "canceled", call);
            BOOST_TEST(ask(*who, "current_setting('dormouse.session')") == "worker");
        }
        auto listener = database.connect();
        BOOST_REQUIRE(listener.listen({"worker:" + std::string(worker), "mark"}).has_value());
        const auto heard = [&] {
            database.exec("SELECT pg_notify(dormouse.channel('mark'), '')");
            int times = 0;
            while (true) {
                const auto one = listener.wait(BootClock::now() + std::chrono::seconds(20));
                BOOST_REQUIRE((one.has_value() && one->has_value()));
                if ((*one)->topic == "mark") return times;
                ++times;
            }
        };
        database.value(sql::worker_arrives,
                       {worker, "pool", "{default}", "", "host", "17", "4711", "00000000-0000-4000-8000-00000000b001",
                        std::nullopt, "0.1.0", std::nullopt, std::nullopt, std::nullopt, "false", std::nullopt});
        database.exec("UPDATE dormouse.worker_registry SET session_pid = NULL");
        for (const auto& [who, call] :
             {std::pair{&producer, "dormouse.cancel(%)"},
              {&person, "dormouse.cancel_runs(status => 'running')"},
              {&person,
               "dormouse.release_worker('00000000-0000-4000-8000-000000000001', 'host', 17, 4711, "
               "'00000000-0000-4000-8000-00000000b001')"}}) {
            const std::string id = enqueue();
            claim();
            BOOST_TEST(heard() == 0);
            std::string text = call;
            if (const auto at = text.find('%'); at != std::string::npos) text.replace(at, 1, "'" + id + "'");
            ask(*who, text);
            BOOST_TEST(heard() == 1, call);
        }
    }
    database.exec("DROP OWNED BY " + app + ", " + ops + "; DROP ROLE " + app + ", " + ops);
}

// Three times the worker's session is to blame, or the network; who is cut off again and again has to end some day.
BOOST_AUTO_TEST_CASE(a_run_that_was_cut_off_uses_up_an_attempt_from_the_fourth_time_on) {
    const std::string id = enqueue();
    for (const char* const used : {"0", "0", "0", "1", "2"}) {
        const std::string fence = claim();
        BOOST_TEST(rows(sql::put_back, {worker, "{" + id + "}", "{" + fence + "}", "{cut_off}", "{NULL}", "{f}",
                                        "{NULL}", "{NULL}", "{NULL}", "{NULL}", "{NULL}"}) == 1);
        BOOST_TEST(database.value("SELECT attempts FROM dormouse.runs") == used);
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'cut_off'") == "5");
}

BOOST_AUTO_TEST_CASE(ids_of_calls_that_name_no_run_are_said_or_refused) {
    enqueue();
    const std::string before = all();
    for (const char* const call : {"cancel", "retry", "archive"}) {
        const std::string said = database.value("SELECT dormouse." + std::string(call) + "($1)", {nobody});
        BOOST_TEST(said.starts_with("unknown: "), call << ": " << said);
        BOOST_TEST(database.value("SELECT dormouse." + std::string(call) + "(NULL)").starts_with("unknown: "));
        BOOST_TEST(!session.ask("wrong", "SELECT dormouse." + std::string(call) + "('17')").has_value());
    }
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.result('00000000-0000-4000-8000-00000000dead')") == "0");
    BOOST_TEST(all() == before);
}

BOOST_AUTO_TEST_SUITE_END()
