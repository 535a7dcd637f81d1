// The relay: one silent session; a notification becomes a ring, whatever happens to session, doorbell or file.
#include "relay/relay.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "loop/poll.h"
#include "support/pool_bench.h"
#include "support/proxy_tcp.h"
#include "systemd/listen.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// A relay in this process, and the doorbell it rings: a real socket, whose rings are answered and counted.
class RelayBench {
  public:
    explicit RelayBench(const std::string& url, const std::string& worker = "", bool has_doorbell = true) {
        configure(url, worker);
        if (has_doorbell) make_doorbell();
        config::Sources sources;
        sources.pool = "bench";
        sources.file = file();
        relay_.emplace(loop_, std::move(sources));
        relay_->start();
    }
    ~RelayBench() {
        relay_.reset();
        poll_.reset();
    }
    RelayBench(const RelayBench&) = delete;
    RelayBench& operator=(const RelayBench&) = delete;

    void configure(const std::string& url, const std::string& worker = "") const {
        write("[database]\nurl = \"" + url + "\"\nretry_max = \"1s\"\n[worker]\n" + worker +
              "\n[paths]\nruntime_directory = \"" + directory_.path() + "\"\n");
    }
    void write(const std::string& text) const {
        std::ofstream(directory_.path() + "/new") << text;
        std::filesystem::rename(directory_.path() + "/new", file());
    }
    void make_doorbell() {
        bell_ = listen_at(directory_.path() + "/bench.sock");
        poll_.emplace(loop_, bell_.get(), "test.bell");
        poll_->watch(loop::Poll::readable, [this](int) {
            rings_ += systemd::empty_doorbell(bell_.get(), 1'000, reserve_).rings;
            return loop::Poll::Did::something;
        });
    }

    bool until(const std::function<bool()>& happened, Millis deadline = Millis{20'000}) {
        const auto end = BootClock::now() + deadline;
        loop::Timer tick(loop_, "test.tick");
        tick.every(Millis{5}, [] {});
        while (!happened()) {
            if (BootClock::now() > end) return false;
            loop_.turn();
        }
        return true;
    }
    bool until_rung(int times) {
        return until([&] { return rings_ >= times; });
    }
    int turns_within(Millis time) {
        bool over = false;
        loop::Timer end(loop_, "test.end");
        end.once(time, [&] { over = true; });
        int turns = 0;
        for (; !over; ++turns) loop_.turn();
        return turns;
    }
    /// It listens, has rung for that, and nothing is going on.
    bool until_quiet() {
        return until_rung(1) && until([this] { return loop_.armed_timers() == std::vector<std::string>{"test.tick"}; });
    }

    [[nodiscard]] int rings() const { return rings_; }
    [[nodiscard]] const relay::Listener& listener() const { return relay_->listener(); }
    [[nodiscard]] loop::Loop& loop() { return loop_; }
    [[nodiscard]] std::string file() const { return directory_.path() + "/bench.toml"; }

  private:
    TemporaryDirectory directory_;
    loop::Loop loop_;
    UniqueFd bell_;
    UniqueFd reserve_ = systemd::reserve_descriptor();
    std::optional<loop::Poll> poll_;
    int rings_ = 0;
    std::optional<relay::Relay> relay_;
};

constexpr const char* end_session =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'dormouse relay bench'";

}  // namespace

BOOST_AUTO_TEST_SUITE(relay, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(it_rings_once_when_it_has_begun_to_listen) {
    const TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    BOOST_TEST(bench.rings() == 1);
}

BOOST_AUTO_TEST_CASE(a_run_of_each_queue_of_the_pool_rings_and_of_another_does_not) {
    TestDatabase database;
    RelayBench bench(database.url(), R"(queues = ["mail", "Mixed.Case"])");
    BOOST_TEST_REQUIRE(bench.until_quiet());
    database.exec("SELECT dormouse.enqueue('work', queue => 'default')");
    bench.turns_within(Millis{300});
    BOOST_TEST(bench.rings() == 1);
    database.exec("SELECT dormouse.enqueue('work', queue => 'mail')");
    BOOST_TEST(bench.until_rung(2));
    BOOST_TEST_REQUIRE(bench.until_quiet());
    database.exec("INSERT INTO dormouse.runs (task, queue) VALUES ('work', 'Mixed.Case')");
    BOOST_TEST(bench.until_rung(3));
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_rolled_back_rings_nobody) {
    TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    database.exec("BEGIN; SELECT dormouse.enqueue('work'); ROLLBACK");
    bench.turns_within(Millis{300});
    BOOST_TEST(bench.rings() == 1);
}

BOOST_AUTO_TEST_CASE(a_notification_right_after_a_ring_is_rung_too) {
    TestDatabase database;
    RelayBench bench(database.url());
    for (int ring = 1; ring < 10; ++ring) {
        BOOST_TEST_REQUIRE(bench.until_rung(ring));
        database.exec("SELECT pg_notify(dormouse.channel('queue:default'), '')");
    }
    BOOST_TEST(bench.until_rung(10));
}

BOOST_AUTO_TEST_CASE(a_storm_of_notifications_is_few_rings_and_the_next_one_is_rung) {
    TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    const auto began = BootClock::now();
    std::atomic<bool> over = false;
    std::thread producer([&] {
        auto connection = database.connect();
        for (int i = 0; i < 10'000; ++i)
            static_cast<void>(connection.script("storm", "SELECT pg_notify(dormouse.channel('queue:default'), '')"));
        over = true;
    });
    const bool stormed = bench.until([&] { return over.load(); }, Millis{120'000});
    producer.join();
    BOOST_TEST_REQUIRE(stormed);
    BOOST_TEST(bench.until_quiet());
    const auto time = since(began);
    BOOST_TEST_MESSAGE("10,000 notifications in " << time.count() << " ms: " << bench.rings() << " rings");
    BOOST_TEST(bench.rings() >= 2);
    BOOST_TEST(bench.rings() <= 3 + time / Millis{100});
    const int rings = bench.rings();
    database.exec("SELECT pg_notify(dormouse.channel('queue:default'), '')");
    BOOST_TEST(bench.until_rung(rings + 1));
}

BOOST_AUTO_TEST_CASE(a_quiet_relay_sends_nothing_and_arms_nothing) {
    const TestDatabase database;
    const Cluster& cluster = Cluster::shared();
    const ProxyTcp proxy(cluster.socket_directory(), cluster.port());
    RelayBench bench(proxy.url(database.name()));
    BOOST_TEST_REQUIRE(bench.until_quiet());
    BOOST_TEST(bench.loop().armed_timers().empty());
    const auto statements = bench.listener().statements_sent();
    const auto bytes = proxy.bytes();
    BOOST_TEST(bytes > 0U);
    BOOST_TEST(bench.turns_within(Millis{3'000}) < 5);
    BOOST_TEST(proxy.bytes() == bytes);
    BOOST_TEST(bench.listener().statements_sent() == statements);
    BOOST_TEST(bench.rings() == 1);
}

BOOST_AUTO_TEST_CASE(a_session_that_was_ended_is_opened_again_and_rings_once) {
    TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    BOOST_TEST(database.value(end_session) == "1");
    BOOST_TEST_REQUIRE(bench.until_rung(2));
    BOOST_TEST_REQUIRE(bench.until_quiet());
    BOOST_TEST(bench.rings() == 2);
    database.exec("SELECT dormouse.enqueue('work')");
    BOOST_TEST(bench.until_rung(3));
}

BOOST_AUTO_TEST_CASE(after_a_restart_of_the_server_it_listens_again) {
    Cluster cluster;
    TestDatabase database(TestDatabase::Schema::migrated, cluster);
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    cluster.stop();
    BOOST_TEST_REQUIRE(bench.until([&] { return !bench.listener().is_open(); }));
    bench.turns_within(Millis{1'500});  // some tries in vain
    cluster.start();
    BOOST_TEST_REQUIRE(bench.until_rung(2));
    BOOST_TEST_REQUIRE(bench.until_quiet());
    BOOST_TEST(bench.rings() == 2);
    auto connection = database.connect();
    static_cast<void>(connection.script("test", "SELECT pg_notify(dormouse.channel('queue:default'), '')"));
    BOOST_TEST(bench.until_rung(3));
}

BOOST_AUTO_TEST_CASE(a_cut_connection_is_opened_again) {
    const TestDatabase database;
    const Cluster& cluster = Cluster::shared();
    ProxyTcp proxy(cluster.socket_directory(), cluster.port());
    RelayBench bench(proxy.url(database.name()));
    BOOST_TEST_REQUIRE(bench.until_quiet());
    proxy.cut();
    BOOST_TEST(bench.until_rung(2));
}

BOOST_AUTO_TEST_CASE(a_ring_without_a_doorbell_is_owed) {
    const TestDatabase database;
    RelayBench bench(database.url(), "", false);
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.listener().is_open(); }));
    bench.turns_within(Millis{500});
    bench.make_doorbell();
    BOOST_TEST(bench.until_rung(1));
    BOOST_TEST(bench.until_quiet());
    BOOST_TEST(bench.rings() == 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_used_is_waited_for) {
    const TestDatabase database;
    RelayBench bench("", "nonsense = 1");
    bench.turns_within(Millis{300});
    BOOST_TEST(!bench.listener().is_open());
    bench.configure(database.url());
    BOOST_TEST(bench.until_rung(1));
}

BOOST_AUTO_TEST_CASE(a_queue_that_is_added_to_the_file_is_heard_without_a_restart) {
    TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    bench.configure(database.url(), "queues = [\"default\", \"mail\"]");
    BOOST_TEST_REQUIRE(bench.until_rung(2));
    database.exec("SELECT pg_notify(dormouse.channel('queue:mail'), '')");
    BOOST_TEST(bench.until_rung(3));
}

BOOST_AUTO_TEST_CASE(a_file_that_goes_bad_does_not_make_it_deaf) {
    TestDatabase database;
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_quiet());
    bench.write("nonsense = 1\n");
    bench.turns_within(Millis{200});
    BOOST_TEST(bench.listener().is_open());
    database.exec("SELECT pg_notify(dormouse.channel('queue:default'), '')");
    BOOST_TEST(bench.until_rung(2));
}

BOOST_AUTO_TEST_CASE(a_guest_with_a_lock_makes_it_ring_once_more_at_most) {
    TestDatabase database;
    database.exec(
        "DO $$ BEGIN CREATE ROLE passer_by LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END "
        "$$");
    auto guest = database.connect("passer_by");
    BOOST_TEST_REQUIRE(guest
                           .script("lock",
                                   "SELECT pg_advisory_lock(hashtextextended('default', 1685024366)),"
                                   " pg_advisory_lock_shared(hashtextextended('default', 1685024367))")
                           .has_value());
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_rung(1));
    const auto statements = bench.listener().statements_sent();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.listener().statements_sent() >= statements + 4; }));
    BOOST_TEST(bench.rings() == 1);
    database.exec("SELECT dormouse.enqueue('work')");  // is told of all the same
    BOOST_TEST_REQUIRE(bench.until_rung(2));
    BOOST_TEST_REQUIRE(guest.script("unlock", "SELECT pg_advisory_unlock_all()").has_value());
    BOOST_TEST_REQUIRE(bench.until_rung(3));
    BOOST_TEST(bench.until_quiet());
}

// The others are open for longer, and nobody was told of this one.
BOOST_AUTO_TEST_CASE(the_end_of_each_transaction_from_before_it_listened_is_rung) {
    TestDatabase database;
    std::vector<postgres::BlockingConnection> producers;
    for (int i = 0; i < 3; ++i) {
        producers.push_back(database.connect());
        BOOST_TEST_REQUIRE(producers.back().script("work", "BEGIN; SELECT dormouse.enqueue('work')").has_value());
    }
    RelayBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until_rung(1));
    for (int ended = 0; ended < 3; ++ended) {
        const auto statements = bench.listener().statements_sent();
        BOOST_TEST_REQUIRE(bench.until([&] { return bench.listener().statements_sent() > statements; }));
        BOOST_TEST(bench.rings() == 1 + ended);
        BOOST_TEST_REQUIRE(producers.at(static_cast<std::size_t>(ended)).script("end", "COMMIT").has_value());
        BOOST_TEST_REQUIRE(bench.until_rung(2 + ended));
    }
    BOOST_TEST(bench.until_quiet());
}

BOOST_AUTO_TEST_CASE(a_database_that_sleeps_is_refused_and_never_asked) {
    TestDatabase database;
    RelayBench bench("postgresql://app@ep-cool-rain-1.eu-central-1.aws.neon.tech/app");
    bench.turns_within(Millis{700});
    BOOST_TEST(!bench.listener().is_open());
    BOOST_TEST(bench.loop().armed_timers().empty());  // no try, and none to come
    bench.configure(database.url());
    BOOST_TEST(bench.until_rung(1));
    bench.configure(database.url() + "\"\nclose_after = \"10s");  // the pool says so of it
    BOOST_TEST(bench.until([&] { return !bench.listener().is_open(); }));
}

BOOST_AUTO_TEST_SUITE_END()
