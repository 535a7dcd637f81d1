// The one table of metrics: name, kind, label and help. What is counted (tally.h), how it is written, which totals go
// on after a sleep and what docs/metrics.md says all come from here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace dormouse::metrics {

enum class Metric : std::uint8_t {
    pool_size,
    slots_busy,
    runs_queued,
    oldest_due_age,
    backlog_time,
    next_due,
    awake,
    snapshot_time,
    runs_completed,
    runs_failed,
    runs_canceled,
    runs_retried,
    runs_put_off,
    runs_handed_back,
    runs_lost,
    results_refused,
    run_duration,
    run_wait,
    claims,
    empty_looks,
    cold_starts,
    wakes,
    rings,
    awake_seconds,
    session_seconds,
    statements,
    count_,
};

enum class MetricKind : std::uint8_t { gauge, counter, histogram };

struct Family {
    Metric metric;
    std::string_view name;
    MetricKind kind;
    std::string_view label;  ///< beside `pool`: task, queue or doorbell; empty: none
    std::string_view help;
};

/// In the order of Metric.
std::span<const Family> families();
const Family& family_of(Metric metric);
/// The family of that name, or nullptr.
const Family* find_family(std::string_view name);

/// Upper bounds of the buckets of all histograms, in seconds; +Inf follows.
inline constexpr std::array<double, 14> bounds{0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3'600, 14'400};

}  // namespace dormouse::metrics
