// What the suites of local wake share: pool "main" on queue "default" is installed, its wake file goes to a temporary
// directory.
#pragma once

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "cli/local_wake.h"
#include "support/cluster.h"

namespace dormouse::testing {

inline std::vector<std::string>& notices() {
    static std::vector<std::string> all;
    return all;
}

inline void on_notice(void* /*unused*/, const char* message) {
    notices().emplace_back(message);
}

struct LocalWake {
    TestDatabase database;
    TemporaryDirectory directory;
    postgres::BlockingConnection producer = database.connect();

    LocalWake() {
        ::chmod(directory.path().c_str(), 0777);  // the server is another user
        PQsetNoticeProcessor(producer.get(), on_notice, nullptr);
        notices().clear();
        install({wake("main", {"default"})});
    }
    ~LocalWake() { static_cast<void>(apply({{}, {}, true})); }

    [[nodiscard]] std::string file(const std::string& pool) const { return directory.path() + "/" + pool; }
    [[nodiscard]] cli::WokenPool wake(const std::string& pool, std::vector<std::string> queues) const {
        return {pool, file(pool), std::move(queues)};
    }
    Result<cli::LocalWakeReport> apply(const cli::LocalWakeRequest& request, const std::string& user = "postgres") {
        auto connection = database.connect(user);
        return cli::apply_local_wake(connection, request);
    }
    cli::LocalWakeReport install(std::vector<cli::WokenPool> pools) {
        auto report = apply({std::move(pools), {}, false});
        BOOST_REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message));
        return *report;
    }
    /// Runs the script as the producer and tells which pools have been woken by it.
    std::string woken_by(const std::string& sql) { return woken_by(producer, sql); }
    std::string woken_by(postgres::BlockingConnection& session, const std::string& sql) {
        const Status done = session.script("producer", sql);
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        return take();
    }
    /// The wake files there are, and removes them, as the worker does.
    std::string take() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
            BOOST_TEST(std::filesystem::file_size(entry) == 0U);
            names.push_back(entry.path().filename());
            std::filesystem::remove(entry.path());
        }
        std::sort(names.begin(), names.end());
        std::string all;
        for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
        return all;
    }
    /// How often the pools' functions have run in the transaction that is about to be committed: the deferred
    /// events are made to fire now, and this session's counters, which are cumulative, are asked.
    std::string count_in(const std::string& sql) {
        require(producer.script("producer", "SET track_functions = 'all'; BEGIN"));
        const std::int64_t before = calls();
        require(producer.script("producer", sql + "; SET CONSTRAINTS ALL IMMEDIATE"));
        const std::int64_t count = calls() - before;
        require(producer.script("producer", "COMMIT"));
        take();
        return std::to_string(count);
    }
    std::int64_t calls() {
        const auto reply = producer.ask("calls",
                                        "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_xact_user_functions"
                                        " WHERE funcname LIKE 'local\\_wake:%'");
        BOOST_REQUIRE(reply.has_value());
        return reply->integer(0, 0);
    }
    static void require(const Status& done) {
        BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
    }
    bool took_lock(const std::string& before_commit) {
        require(producer.script("producer", "BEGIN; " + before_commit + "; SET CONSTRAINTS ALL IMMEDIATE"));
        const bool held = database.value(
                              "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1685024365 AND"
                              " objid = 1 AND mode = 'ShareLock' AND database = (SELECT oid FROM pg_database WHERE"
                              " datname = current_database())") == "1";
        require(producer.script("producer", "COMMIT"));
        return held;
    }
};

inline constexpr const char* insert_one = "INSERT INTO dormouse.runs (task) VALUES ('t')";
}  // namespace dormouse::testing
