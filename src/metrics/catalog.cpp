#include "metrics/catalog.h"

#include <algorithm>

namespace dormouse::metrics {
namespace {

using enum MetricKind;

constexpr Family table[] = {
    {Metric::pool_size, "dormouse_pool_size", gauge, "",
     "How many runs the pool's worker executes at once at most (worker.concurrency, or dormouse scale)."},
    {Metric::slots_busy, "dormouse_slots_busy", gauge, "", "Runs being executed at the time of the snapshot."},
    {Metric::runs_queued, "dormouse_runs_queued", gauge, "queue",
     "Due and unclaimed runs of tasks that the pool knows, when last queried (dormouse_backlog_timestamp_seconds); "
     "at most 10000 per queue are counted, with more than 5 queues at most 50000 in all."},
    {Metric::oldest_due_age, "dormouse_oldest_due_age_seconds", gauge, "queue",
     "How long the oldest of them had been due when last queried (dormouse_backlog_timestamp_seconds); 0: there "
     "was none."},
    {Metric::backlog_time, "dormouse_backlog_timestamp_seconds", gauge, "",
     "Unix time at which the worker last queried its backlog: together with a round that it made anyway, at most "
     "every 15 s, and with its last one."},
    {Metric::next_due, "dormouse_next_due_timestamp_seconds", gauge, "",
     "Unix time at which a worker must next check for work, as known when the last one exited; +Inf: nothing is "
     "due, ever; absent: not known."},
    {Metric::awake, "dormouse_awake", gauge, "",
     "1 while a worker is awake, 0 after the last one has exited; stays 1 if it was killed."},
    {Metric::snapshot_time, "dormouse_snapshot_timestamp_seconds", gauge, "",
     "Unix time at which these values were written."},
    {Metric::runs_completed, "dormouse_runs_completed_total", counter, "task", "Runs that this pool has completed."},
    {Metric::runs_failed, "dormouse_runs_failed_total", counter, "task", "Runs that failed for good."},
    {Metric::runs_canceled, "dormouse_runs_canceled_total", counter, "task",
     "Runs that their handler ended as canceled."},
    {Metric::runs_retried, "dormouse_runs_retried_total", counter, "task",
     "Attempts that failed and whose run will be tried again."},
    {Metric::runs_put_off, "dormouse_runs_put_off_total", counter, "task",
     "Attempts whose handler asked to be tried again later."},
    {Metric::runs_handed_back, "dormouse_runs_handed_back_total", counter, "task",
     "Claims returned to the queue: not started, fetched ahead but not used, or interrupted by the worker's exit."},
    {Metric::runs_lost, "dormouse_runs_lost_total", counter, "",
     "Attempts of dead workers whose runs this pool has taken back."},
    {Metric::results_refused, "dormouse_results_refused_total", counter, "task",
     "Endings that were refused because the run no longer belonged to this worker."},
    {Metric::run_duration, "dormouse_run_duration_seconds", histogram, "task",
     "How long handlers took, for each attempt whose ending was written."},
    {Metric::run_wait, "dormouse_run_wait_seconds", histogram, "task",
     "How long runs had been due when they were claimed, by the clock of the database."},
    {Metric::claims, "dormouse_claims_total", counter, "", "Queries for work that returned runs."},
    {Metric::empty_looks, "dormouse_empty_looks_total", counter, "", "Queries for work that returned none."},
    {Metric::cold_starts, "dormouse_cold_starts_total", counter, "", "Worker processes that were started."},
    {Metric::wakes, "dormouse_wakes_total", counter, "doorbell",
     "What started them: socket (a ring), path (a file in the spool, or a wake file), timer (a due time), other (a "
     "boot, a restart, a person)."},
    {Metric::rings, "dormouse_rings_total", counter, "",
     "Rings that an awake worker has answered; several may count as one."},
    {Metric::awake_seconds, "dormouse_awake_seconds_total", counter, "", "How long workers were awake."},
    {Metric::session_seconds, "dormouse_database_session_seconds_total", counter, "",
     "How long sessions with the database were open; two of them count twice."},
    {Metric::statements, "dormouse_database_statements_total", counter, "",
     "Statements that workers have sent to the database, including those that open a session."},
};
static_assert(std::size(table) == static_cast<std::size_t>(Metric::count_));

}  // namespace

std::span<const Family> families() {
    return table;
}

const Family& family_of(Metric metric) {
    return table[static_cast<std::size_t>(metric)];
}

const Family* find_family(std::string_view name) {
    const auto* const found =
        std::find_if(std::begin(table), std::end(table), [&](const Family& family) { return family.name == name; });
    return found == std::end(table) ? nullptr : found;
}

}  // namespace dormouse::metrics
