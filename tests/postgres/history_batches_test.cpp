// What `dormouse runs` and operations on many runs cost when 110 days are kept: by portions, whatever a filter leaves
// of them.
#include <boost/test/unit_test.hpp>
#include <set>
#include <sstream>

#include "postgres/history_fixture.h"
#include "sql/embedded.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(history_batches, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_CASE(the_runs_of_the_last_hour_are_found_without_looking_into_the_days_before) {
    History many(110);
    auto session = many.database.connect();
    const std::string hour_ago = many.database.value("SELECT extract(epoch FROM now() - interval '1 hour')");
    const auto days = session.ask("runs", sql::cli::runs_since, {hour_ago});
    BOOST_TEST_REQUIRE(days.has_value(), (days ? "" : days.error().message));
    const auto plan_of = [&](std::string text, const postgres::BlockingConnection::Texts& parameters) {
        const auto plan = session.ask("runs", "EXPLAIN (COSTS off) " + text.substr(text.find("\nSELECT")), parameters);
        BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
        int tables = 0;
        for (int row = 0; row < plan->rows(); ++row)
            tables += std::string(plan->text(row, 0)).find(" on runs_finished_2") != std::string::npos ? 1 : 0;
        return tables;
    };
    for (const int tables :
         {plan_of(sql::cli::runs, {std::nullopt, "t", std::nullopt, hour_ago, "20", "f", many.old, many.old,
                                   std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt}),
          plan_of(sql::cli::runs_reach,
                  {std::nullopt, "10000", many.old, days->optional_text(0, 0), days->optional_text(0, 1)})}) {
        BOOST_TEST(tables >= 1);
        BOOST_TEST(tables <= 11);  // until 8 days from now, and the default partition
    }
}

// What a filter leaves out is walked over once, and not in each batch; what is done in a day costs that day alone.
BOOST_AUTO_TEST_CASE(a_batch_costs_what_it_touches_however_long_history_is) {
    History few(3);
    History many(110);
    for (History* const history : {&few, &many}) {
        history->fill("failed", 1'000);
        history->database.exec("INSERT INTO dormouse.runs (task) SELECT 't' FROM generate_series(1, 1000)");
    }
    for (const std::string call :
         {"archive_runs('failed', max_runs => 100AFTER)", "retry_runs('failed', max_runs => 100AFTER)",
          "retry_runs(task => 't', max_runs => 100AFTER)", "cancel_runs('queued', max_runs => 100AFTER)",
          "archive_runs('completed', older_than => '1 hour', max_runs => 1AFTER)"}) {
        BOOST_TEST_CONTEXT(call) {
            const auto batch = [&](History& history) {
                const std::string from = "SELECT * FROM dormouse.";
                std::string first = call;
                first.replace(first.find("AFTER"), 5, "");
                const std::string next = history.database.value("SELECT next FROM dormouse." + first);
                BOOST_TEST_REQUIRE(next != "");
                std::string second = call;
                second.replace(second.find("AFTER"), 5, ", after => '" + next + "'");
                return history.cost(from + second);
            };
            const auto [locks, pages] = batch(few);
            const auto [more_locks, more_pages] = batch(many);
            BOOST_TEST_MESSAGE(call << ": " << locks << " locks, " << pages << " pages; of 110 days " << more_locks
                                    << ", " << more_pages);
            BOOST_TEST(more_locks <= locks + 20);
            BOOST_TEST(more_pages <= pages + pages / 2 + 500);  // the catalogue says which days there are
        }
    }
}

// Each day in which something is found costs plans and locks of its own, however little that is.
BOOST_AUTO_TEST_CASE(a_batch_of_runs_that_are_sparse_ends_after_a_few_days_and_the_next_one_goes_on) {
    History history(110);
    history.fill("failed", 436, 109);
    history.database.exec("UPDATE dormouse.runs SET status = 'failed' WHERE id = '" + history.old + "'");
    for (const char* const operation : {"archive", "retry"}) {
        BOOST_TEST_CONTEXT(operation) {
            std::string next;
            int calls = 0;
            int changed = 0;
            do {
                const std::string call = "dormouse." + std::string(operation) + "_runs('failed', max_runs => 1000" +
                                         (next.empty() ? std::string() : ", after => '" + next + "'") + ")";
                const auto [locks, pages] = history.cost("SELECT * FROM " + call);
                BOOST_TEST(locks <= 400);
                BOOST_TEST(pages <= 5'000);
                history.database.exec("ROLLBACK; CREATE TEMP TABLE told AS SELECT * FROM " + call);
                BOOST_TEST(std::stoi(history.database.value("SELECT changed FROM told")) <= 4 * 5);
                changed += std::stoi(history.database.value("SELECT changed FROM told"));
                next = history.database.value("SELECT next FROM told");
                history.database.exec("DROP TABLE told");
            } while (!next.empty() && ++calls < 100);
            BOOST_TEST(calls <= 40);
            BOOST_TEST(changed == 437);
        }
        history.database.exec("UPDATE dormouse.runs SET archived_at = NULL WHERE archived_at IS NOT NULL");
    }
}

// A queue that was long and empty when statistics were made, and is long again.
BOOST_AUTO_TEST_CASE(a_batch_reads_of_the_live_runs_only_those_that_it_means_whatever_statistics_say) {
    History history(3);
    history.fill("failed", 600);
    history.database.exec("UPDATE dormouse.runs SET key = id::text WHERE status = 'failed'");
    const std::string live =
        "INSERT INTO dormouse.runs (task, key) SELECT 't', 'k' || n FROM generate_series(1, 20000) n";
    history.database.exec(live + "; DELETE FROM dormouse.runs WHERE status = 'queued'");
    history.database.exec("VACUUM ANALYZE dormouse.runs_live");
    history.database.exec("VACUUM ANALYZE dormouse.keys");
    history.database.exec(live);
    for (const char* const statement :
         {"SELECT * FROM dormouse.retry_runs('failed', max_runs => 250)",
          "SELECT * FROM dormouse.delete_old((SELECT max(tableoid::regclass) FROM dormouse.runs WHERE status = "
          "'failed'), 'finished_at', NULL, 0)",
          "DELETE FROM dormouse.runs WHERE id IN (SELECT id FROM dormouse.runs WHERE status = 'failed' LIMIT 250)"}) {
        const auto [locks, pages] = history.cost(statement);
        BOOST_TEST_MESSAGE(statement << ": " << pages << " pages");
        BOOST_TEST(pages < 30'000, statement << ": " << pages << " pages");
        history.database.exec("ROLLBACK");
    }
}

BOOST_AUTO_TEST_CASE(a_filter_that_finds_little_goes_on_from_where_it_was_until_it_has_seen_all) {
    History history(110);
    history.fill("failed", 15'000);
    history.database.exec("UPDATE dormouse.runs SET task = 'rare' WHERE id = '" + history.old +
                          "' OR finished_at = "
                          "(SELECT max(finished_at) FROM dormouse.runs WHERE status = 'failed')");
    std::string next;
    int calls = 0;
    do {
        const std::string call =
            "dormouse.archive_runs(task => 'rare'" + (next.empty() ? std::string() : ", after => '" + next + "'") + ")";
        const auto [locks, pages] = history.cost("SELECT * FROM " + call);
        BOOST_TEST(pages < 25'000);
        history.database.exec("ROLLBACK");
        next = history.database.value("SELECT next FROM " + call);
    } while (!next.empty() && ++calls < 100);
    BOOST_TEST(calls > 1);
    BOOST_TEST(calls < 20);
    BOOST_TEST(history.database.value("SELECT count(*) FROM dormouse.runs WHERE archived_at IS NOT NULL") == "2");
}

BOOST_AUTO_TEST_CASE(runs_with_a_filter_looks_at_a_part_of_history_and_says_so) {
    History history(110);
    history.fill("completed", 15'000);
    history.fill("failed", 100);
    const std::map<std::string, std::string> environment{{"DATABASE_URL", history.database.url()}};
    const auto cli = [&](std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), environment));
    };
    const Ended nothing = cli({"runs", "--task", "nosuch"});
    BOOST_TEST(nothing.exit_code == 0);
    BOOST_TEST(nothing.out == "no runs\n");
    BOOST_TEST(nothing.err.find("only the newest 10000 finished runs") != std::string::npos, nothing.err);
    BOOST_TEST(cli({"runs", "--task", "nosuch", "--since", "200d"}).err == "");
    BOOST_TEST(cli({"runs", "--status", "canceled"}).err == "");
    BOOST_TEST(cli({"runs"}).err == "");
    BOOST_TEST(cli({"runs", "--since", "110d"}).err == "");
}

// What a statement reads is bounded, whatever the filter and the time leave of it; and of all that there is nothing is
// told twice or not at all.
BOOST_AUTO_TEST_CASE(runs_since_a_time_are_found_by_portions_each_once) {
    History history(110);
    history.fill("completed", 25'000);
    history.database.exec(
        "SET session_replication_role = replica; INSERT INTO dormouse.runs_finished_default (id, task, status, "
        "created_at, finished_at)"
        " SELECT (left(h, 8) || '-' || right(h, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid, 't', "
        "'failed', t, t"
        "   FROM generate_series(1, 12000) n, LATERAL (SELECT now() - interval '120 days' - n * interval '1 second' AS "
        "t) a,"
        "        LATERAL lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') h; RESET "
        "session_replication_role;"
        "INSERT INTO dormouse.runs (task) SELECT 'waits' FROM generate_series(1, 12000);"
        "UPDATE dormouse.runs SET created_at = now() - interval '300 days' WHERE task = 'waits'");
    auto session = history.database.connect();
    BOOST_TEST_REQUIRE(
        session.script("", "SET plan_cache_mode = force_custom_plan; ANALYZE dormouse.runs").has_value());
    // rows that are looked at in all of the tables, whatever is made of them
    const auto rows = [&](std::string text, const postgres::BlockingConnection::Texts& parameters) {
        text = text.substr(text.find("\nSELECT"));
        const auto plan = session.ask("runs", "EXPLAIN (ANALYZE, FORMAT json) " + text, parameters);
        BOOST_TEST_REQUIRE(plan.has_value(), (plan ? "" : plan.error().message));
        return std::stoi(history.database.value(
            "SELECT coalesce(sum((n ->> 'Actual Rows')::numeric + coalesce((n ->> 'Rows Removed by Filter')::numeric, "
            "0)), 0)::int FROM jsonb_path_query($1::jsonb, 'strict $.** ? (exists (@.\"Relation Name\"))') n",
            {std::string(plan->text(0, 0))}));
    };
    for (const char* const since : {"1 hour", "90 days", "400 days"}) {
        const std::string time = history.database.value("SELECT to_char((now() - interval '" + std::string(since) +
                                                        "') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
        const std::string epoch = history.database.value("SELECT extract(epoch FROM $1::timestamptz)", {time});
        const auto days = session.ask("runs", sql::cli::runs_since, {epoch});
        BOOST_TEST_REQUIRE(days.has_value(), (days ? "" : days.error().message));
        std::optional<std::string> from;
        int portions = 0;
        do {
            const postgres::BlockingConnection::Texts parameters{std::nullopt, "1000", from, days->optional_text(0, 0),
                                                                 days->optional_text(0, 1)};
            BOOST_TEST(rows(sql::cli::runs_reach, parameters) < 3'000);
            const auto rest = session.ask("runs", sql::cli::runs_reach, parameters);
            BOOST_TEST_REQUIRE(rest.has_value(), (rest ? "" : rest.error().message));
            const auto until = std::max(rest->optional_text(0, 0), rest->optional_text(0, 2));
            BOOST_TEST(rows(sql::cli::runs, {std::nullopt, "nosuch", std::nullopt, epoch, "20", "f", until, until, from,
                                             std::nullopt, std::nullopt, std::nullopt, std::nullopt}) < 3'000);
            from = until;
        } while (from && ++portions < 100);
        BOOST_TEST(portions < 80);
        // the command's portions are larger, and there are several of them
        const Ended all = run(cli_program({"runs", "--since", time, "--limit", "100000", "--json"},
                                          {{"DATABASE_URL", history.database.url()}}));
        BOOST_TEST(all.exit_code == 0, all.err);
        std::set<std::string> lines;
        std::istringstream text(all.out);
        std::string last = "{\"id\" : \"g";
        for (std::string line; std::getline(text, line); last = line) {
            BOOST_TEST((line < last), line << " after " << last);  // begins with the id
            lines.insert(line);
        }
        BOOST_TEST(
            std::to_string(lines.size()) ==
            history.database.value("SELECT count(*) FROM dormouse.runs WHERE created_at >= to_timestamp($1)", {epoch}));
    }
}

BOOST_AUTO_TEST_SUITE_END()
