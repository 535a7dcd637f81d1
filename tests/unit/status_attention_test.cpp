// What `dormouse status` says needs a person: for each way in which runs wait although every file is there.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "cli/attention.h"
#include "cli/version.h"

BOOST_AUTO_TEST_SUITE(status_attention)

using namespace dormouse;
using namespace dormouse::cli;

namespace {

constexpr double now = 1'000'000;

/// Pool mail of this machine, on and asleep; it serves queue mail.
PoolSeen asleep() {
    PoolSeen pool;
    pool.name = "mail";
    pool.queues = {"mail"};
    pool.local.emplace();
    pool.local->name = "mail";
    pool.units.emplace();
    pool.units->target = pool.units->socket = pool.units->path = "active";
    pool.units->service = "inactive";
    pool.listening = true;
    WorkerSeen left;
    left.host = "here";
    left.state = "asleep";
    left.here = true;
    left.started_at = now - 100;
    left.left_at = now - 50;
    pool.workers = {left};
    return pool;
}

Overview overview(const PoolSeen& pool, double due_since = 0, double next_in = 0) {
    Overview seen;
    seen.now = now;
    seen.pools = {pool};
    QueueSeen queue;
    queue.name = "mail";
    if (due_since > 0) queue.due = 3;
    if (due_since > 0) queue.oldest_due_at = now - due_since;
    if (next_in > 0) queue.put_off = 1;
    if (next_in > 0) queue.next_run_at = now + next_in;
    if (pool.serves()) queue.served_by = {"mail"};
    seen.queues = {queue};
    return seen;
}

/// "critical pool mail: … | remedy", one a line.
std::string said(const Overview& seen) {
    std::string text;
    for (const Attention& one : attention(seen))
        text += std::string(one.level == Severity::critical ? "critical " : "warning ") + one.about + ": " + one.text +
                " | " + one.remedy + "\n";
    return text;
}

bool says(const Overview& seen, const std::string& part) {
    const std::string text = said(seen);
    BOOST_TEST_INFO("said: " << text);
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_pool_that_sleeps_with_nothing_to_do_needs_nobody) {
    BOOST_TEST(said(overview(asleep())) == "");
    BOOST_TEST(said(overview(asleep(), 2)) == "");  // it is being woken
}

BOOST_AUTO_TEST_CASE(what_was_not_counted_to_the_end_may_be_more) {
    Overview seen = overview(asleep(), 60);
    BOOST_TEST(says(seen, "3 runs due, the first one for"));
    seen.queues.front().more.due = true;
    seen.stuck_count = 20;
    seen.more_stuck = true;
    BOOST_TEST(says(seen, "3 or more runs due, the first one for"));
    BOOST_TEST(says(seen, "20 or more runs: stuck, listed below"));
    PoolSeen off = asleep();
    off.units->target = "inactive";
    seen.pools = {off};
    seen.queues.front().served_by.clear();
    BOOST_TEST(says(seen, "it is switched off on this machine, and 3 or more runs due"));
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_switched_off_is_said_to_be_with_what_waits_for_it) {
    PoolSeen pool = asleep();
    for (const char* const state : {"inactive", "failed", ""}) {
        pool.units->target = pool.units->socket = pool.units->path = state;
        BOOST_TEST(says(
            overview(pool),
            "warning pool mail: it is switched off on this machine | systemctl enable --now dormouse@mail.target"));
        BOOST_TEST(says(overview(pool, 1), "critical pool mail: it is switched off on this machine, and 3 runs due"));
    }
    pool.workers.front().state = "awake";  // somebody has started it by hand
    pool.workers.front().left_at.reset();
    BOOST_TEST(said(overview(pool, 1)) == "");
}

BOOST_AUTO_TEST_CASE(what_is_due_while_nobody_is_awake_is_told_within_seconds) {
    PoolSeen pool = asleep();
    BOOST_TEST(
        says(overview(pool, 6),
             "critical queue mail: 3 runs due, the first one for 6.0 s, and no worker is awake | dormouse wake mail"));
    pool.units->service = "activating";
    BOOST_TEST(said(overview(pool, 6)) == "");
    pool.units->service = "active";
    BOOST_TEST(says(overview(pool, 600), "warning queue mail: 3 runs due"));
}

BOOST_AUTO_TEST_CASE(what_comes_next_needs_a_timer) {
    PoolSeen pool = asleep();
    BOOST_TEST(says(overview(pool, 0, 60), "no timer is armed for it"));
    pool.units->due_timer = true;
    BOOST_TEST(said(overview(pool, 0, 60)) == "");
    pool.units.reset();  // nobody knows
    BOOST_TEST(said(overview(pool, 0, 60)) == "");
}

BOOST_AUTO_TEST_CASE(a_doorbell_a_worker_that_does_not_stay_and_a_switch_that_a_boot_forgets) {
    PoolSeen pool = asleep();
    pool.units->socket = "failed";
    BOOST_TEST(says(
        overview(pool),
        "dormouse@mail.socket is failed, so it cannot be woken that way | systemctl restart dormouse@mail.target"));
    pool = asleep();
    pool.units->path = "";
    BOOST_TEST(says(overview(pool), "dormouse@mail.path is not there"));
    pool = asleep();
    pool.units->service_sub = "auto-restart";
    BOOST_TEST(says(overview(pool), "its worker does not stay up | journalctl --unit=dormouse@mail.service"));
    pool = asleep();
    pool.units->at_boot = false;
    BOOST_TEST(says(overview(pool), "not after the next boot | systemctl enable dormouse@mail.target"));
}

BOOST_AUTO_TEST_CASE(tasks_that_fail_are_told_with_what_ends_their_traceback) {
    PoolSeen pool = asleep();
    pool.local->tasks = {"thumbnail"};
    Overview seen = overview(pool);
    FailingTask task;
    task.task = "thumbnail";
    task.newest = "01a2";
    task.error_class = "error";
    task.error_message = "KeyError: 'name'";
    task.retrying = 9;
    seen.failing = {task};
    BOOST_TEST(said(seen) == "");  // it happens, and they are tried again
    seen.failing.front().retrying = 10;
    BOOST_TEST(says(seen,
                    "warning task thumbnail: 10 runs waiting for another attempt, the last one after: KeyError: "
                    "'name' | dormouse show 01a2"));
    seen.failing.front().retrying = 0;
    seen.failing.front().failed_in_an_hour = 2;
    BOOST_TEST(said(seen) == "");  // those runs', and in the table
    seen.failing.front().failed_in_an_hour = 3;
    BOOST_TEST(says(seen, "warning task thumbnail: 3 runs failed in the last hour, the last one: KeyError"));
    seen.failing.front().failed_in_an_hour = 1'000;
    BOOST_TEST(
        says(seen, "warning task thumbnail: 1,000 or more runs failed in the last hour, the last one: KeyError"));
    seen.failing.front().error_class = "trigger_refused";
    BOOST_TEST(says(seen, "the last one: trigger_refused: KeyError"));
    seen.failing.front().failed_in_an_hour = 1;
    BOOST_TEST(says(seen, "1 run failed in the last hour, the last one: trigger_refused: KeyError"));
    seen.failing.front() = task;
    seen.failing.front().error_class = "spawn";
    seen.failing.front().retrying = 1;
    seen.failing.front().error_message =
        "python3 ended before its hello: exit 1\nTraceback:\n  line 1\nModuleNotFoundError: x\n";
    BOOST_TEST(says(seen,
                    "critical task thumbnail: it cannot be started: python3 ended before its hello: exit 1: "
                    "ModuleNotFoundError: x; 1 run waiting for another attempt | dormouse worker mail --check"));
    seen.pools.front().local->tasks.clear();  // of another machine
    BOOST_TEST(says(seen, "| dormouse show 01a2"));
}

BOOST_AUTO_TEST_CASE(a_pool_whose_file_is_gone_serves_nobody) {
    PoolSeen pool = asleep();
    pool.local.reset();
    pool.units.reset();
    BOOST_TEST(pool.removed());
    BOOST_TEST(says(overview(pool, 1), "critical queue mail: no pool serves it"));
    pool.workers.front().here = false;  // on another machine it may well be there
    BOOST_TEST(!pool.removed());
    BOOST_TEST(says(overview(pool, 6), "dormouse wake mail, on its machine"));
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_gone_and_systemd_that_does_not_answer) {
    PoolSeen pool = asleep();
    pool.workers.front().state = "gone";
    pool.workers.front().runs = 2;
    pool.workers.front().lease_until = now + 240;
    BOOST_TEST(says(overview(pool),
                    "its worker on here ended unexpectedly and holds 2 runs, whose leases end in 4 min | dormouse reap "
                    "--force"));
    pool.workers.front().here = false;
    pool.workers.front().ended = "session lost";
    pool.workers.front().seen_at = now - 60;
    BOOST_TEST(
        says(overview(pool),
             "has lost its session; it was there 60 s ago and holds 2 runs, whose leases end in 4 min | dormouse "
             "reap --force, on that host"));
    pool.workers.front().runs = 0;  // nothing is lost with it
    BOOST_TEST(said(overview(pool)) == "");
    Overview seen = overview(asleep());
    seen.units_trouble = "no bus";
    BOOST_TEST(says(seen, "warning systemd: no bus"));
}

BOOST_AUTO_TEST_CASE(what_was_put_aside_another_version_and_a_relay_that_does_not_stay) {
    PoolSeen pool = asleep();
    pool.local->spool_directory = "/var/spool/dormouse";
    pool.put_aside = 1;
    BOOST_TEST(
        said(overview(pool)) ==
        "warning spool of pool mail: 1 file has been put aside, each with the reason | find "
        "/var/spool/dormouse/mail.rejected /var/spool/dormouse/mail -name '*.reason' -exec head {} +, and remove "
        "those that are settled\n");
    pool.put_aside = 1'000;
    BOOST_TEST(says(overview(pool), "1,000 or more files have been put aside"));
    pool = asleep();
    pool.workers.front().version = "0.0.9";
    BOOST_TEST(said(overview(pool)) == "");  // it has left
    pool.workers.front().state = "awake";
    BOOST_TEST(says(overview(pool), "warning version: the worker of pool mail on here is 0.0.9, this is " +
                                        std::string(release()) +
                                        " | systemctl try-reload-or-restart dormouse@mail.service"));
    pool.workers.front().here = false;
    BOOST_TEST(says(overview(pool), "dormouse@mail.service, on its machine"));
    pool.workers.front().version = release();
    BOOST_TEST(said(overview(pool)) == "");
    pool = asleep();
    pool.units->relay = "active";
    BOOST_TEST(said(overview(pool)) == "");
    pool.units->relay = "failed";
    BOOST_TEST(says(overview(pool),
                    "warning pool mail: its relay does not stay up, so nothing rings for producers on other hosts | "
                    "journalctl --unit=dormouse-relay@mail.service --lines=50"));
}

BOOST_AUTO_TEST_CASE(a_task_that_only_a_pool_of_another_queue_has_is_named_with_that_pool) {
    PoolSeen pool = asleep();
    Overview seen = overview(pool);
    seen.unknown = {{"mail", "report", 2, now - 60}};
    BOOST_TEST(says(seen,
                    "critical task report: no pool of this machine knows it, 2 runs wait, the first one 60 s ago in "
                    "queue mail | add [task.\"report\"] to a pool's file, or start the pool that has it"));
    PoolSeen other = asleep();
    other.name = "reports";
    other.queues = {"reports"};
    other.local->tasks = {"report"};
    seen.pools.push_back(other);
    BOOST_TEST(says(seen,
                    "critical task report: pool reports has it and does not serve queue mail, where 2 runs wait, the "
                    "first one 60 s ago | add \"mail\" to worker.queues of pool reports, or [task.\"report\"] to a "
                    "pool that serves it; new ones: dormouse enqueue --queue reports"));
}

BOOST_AUTO_TEST_CASE(where_reap_would_refuse_it_is_not_the_remedy) {
    PoolSeen pool = asleep();
    WorkerSeen& worker = pool.workers.front();
    worker.state = "gone";
    worker.runs = 1;
    worker.lease_until = now + 300;
    BOOST_TEST(says(overview(pool), "whose lease ends in 5 min | dormouse reap --force"));
    worker.uncertain = true;  // this machine has been restarted: nobody knows whether there is another of its name
    BOOST_TEST(says(overview(pool), "whose lease ends in 5 min | nothing, they go back to their queue then"));
    worker.lease_until = now - 1;
    BOOST_TEST(says(overview(pool), "| dormouse reap --force"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_says_nothing_of_the_queues_it_names) {
    PoolSeen pool = asleep();
    pool.local->problem = "line 3: not TOML";
    pool.queues.clear();
    BOOST_TEST(says(overview(pool, 60), "critical pool mail: line 3: not TOML"));
    BOOST_TEST(!says(overview(pool, 60), "no pool serves it"));
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_being_stopped_says_so_while_its_worker_finishes) {
    PoolSeen pool = asleep();
    pool.workers.front().state = "awake";
    pool.units->target = "inactive";
    pool.units->service = "active";  // a worker that somebody has started without the switch
    BOOST_TEST(said(overview(pool)) == "");
    pool.units->service = "deactivating";
    BOOST_TEST(says(overview(pool),
                    "warning pool mail: it is being stopped: its worker takes nothing new | "
                    "systemctl start dormouse@mail.target"));
    pool.units->target = "active";  // between two lives
    BOOST_TEST(said(overview(pool)) == "");
}

BOOST_AUTO_TEST_CASE(what_is_critical_comes_first) {
    PoolSeen pool = asleep();
    pool.units->at_boot = false;
    const auto all = attention(overview(pool, 60));
    BOOST_TEST_REQUIRE(all.size() == 2U);
    BOOST_TEST((all.front().level == Severity::critical));
}

BOOST_AUTO_TEST_SUITE_END()
