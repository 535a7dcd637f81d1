// Finished runs of any age, and steps of retention. Used by tests of retention.
#pragma once

#include <boost/test/unit_test.hpp>
#include <ctime>
#include <string>
#include <vector>

#include "sql/embedded.h"
#include "support/cluster.h"

namespace dormouse::testing {

constexpr std::int64_t day_ms = 86'400'000;

struct RetentionFixture {
    struct Step {
        std::string did;
        std::string trouble;
    };

    TestDatabase database;
    postgres::BlockingConnection session = database.connect();

    Step step(std::optional<std::int64_t> keep_ms = 30 * day_ms, const std::string& pool = "default",
              std::int64_t clock_ahead_ms = 0) {
        return step_on(session, keep_ms, pool, clock_ahead_ms);
    }
    static Step step_on(postgres::BlockingConnection& session, std::optional<std::int64_t> keep_ms = 30 * day_ms,
                        const std::string& pool = "default", std::int64_t clock_ahead_ms = 0) {
        const auto reply =
            session.ask("retain", sql::retain,
                        {pool, keep_ms ? std::optional(std::to_string(*keep_ms)) : std::nullopt,
                         std::to_string(static_cast<std::int64_t>(std::time(nullptr)) * 1'000 + clock_ahead_ms)});
        BOOST_TEST_REQUIRE(reply.has_value(), (reply ? "" : reply.error().message));
        return {std::string(reply->text(0, 0)), std::string(reply->text(0, 1))};
    }
    /// Until nothing is left to do; what was done. A thousand steps are too many.
    std::vector<std::string> steps(std::optional<std::int64_t> keep_ms = 30 * day_ms,
                                   const std::string& pool = "default") {
        std::vector<std::string> all;
        for (Step one = step(keep_ms, pool); all.size() < 1'000; one = step(keep_ms, pool)) {
            BOOST_TEST(one.trouble == "");
            if (one.did.empty()) return all;
            all.push_back(one.did);
        }
        BOOST_TEST(false, "steps without an end");
        return all;
    }
    /// A partition for the day that was so many days ago.
    void day_ago(int days) {
        const std::string n = std::to_string(days);
        database.exec("DO $$ BEGIN EXECUTE format('CREATE TABLE dormouse.runs_finished_ago_" + n +
                      " PARTITION OF dormouse.runs_finished FOR VALUES FROM (%L) TO (%L)', date_trunc('day', now()) - "
                      "interval '" +
                      n + " days', date_trunc('day', now()) - interval '" + n + " days' + interval '1 day'); END $$");
    }
    /// Runs of a task that finished then.
    void finished(const std::string& task, int days_ago, int count = 1, const std::string& key = "NULL") {
        database.exec("INSERT INTO dormouse.runs (task, status, finished_at, key) SELECT '" + task +
                      "', 'completed', date_trunc('day', now()) - interval '" + std::to_string(days_ago) +
                      " days' + interval '1 hour', " + key + " FROM generate_series(1, " + std::to_string(count) +
                      ") n");
    }
    std::string count(const std::string& what) { return database.value("SELECT count(*) FROM " + what); }
};

}  // namespace dormouse::testing
