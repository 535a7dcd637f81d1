// What a pool has done, counted while it is awake: plain numbers in memory, by label. Told by the worker, on the loop's
// thread; written down by Exporter. Labels are what a configuration or a database says, so their number is bounded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "metrics/catalog.h"

namespace dormouse::metrics {

struct Histogram {
    std::array<std::uint64_t, bounds.size() + 1> counts{};  ///< not cumulative; the last one is beyond all bounds
    double sum = 0;
};

/// What one worker has told of its sessions.
struct Sessions {
    std::array<std::uint64_t, 2> statements{};
    int open = 0;
    BootClock::time_point since{};
};

class Tally {
  public:
    /// Beyond so many values of a label everything is counted as "other".
    static constexpr std::size_t most_labels = 500;

    explicit Tally(std::string pool) : pool_(std::move(pool)) {}

    /// The pool as it is configured: a counter that has not counted yet is written as 0, so that its first step shows.
    void expect(int pool_size, const std::vector<std::string>& tasks);

    void add(Metric metric, double amount = 1, std::string_view label = {});
    void set(Metric metric, double value, std::string_view label = {});
    void forget(Metric metric);
    void observe(Metric metric, Millis time, std::string_view label);

    /// A worker's sessions that are open from `now` on, and how many statements each wire's session has sent; `told` is
    /// that worker's.
    void sessions(Sessions& told, BootClock::time_point now, const std::array<bool, 2>& open,
                  const std::array<std::uint64_t, 2>& statements);
    /// Counts the time since it was told last.
    void awake_until(BootClock::time_point now);
    /// From here on another process of this pool counts that time.
    void leave_time_to_successor() { has_successor_ = true; }
    /// `call` hears of each change; it is cheap.
    void on_change(std::function<void()> call) { on_change_ = std::move(call); }

    using Values = std::map<std::string, double, std::less<>>;
    using Histograms = std::map<std::string, Histogram, std::less<>>;
    [[nodiscard]] const std::string& pool() const { return pool_; }
    [[nodiscard]] const Values& values(Metric metric) const { return values_[static_cast<std::size_t>(metric)]; }
    [[nodiscard]] const Histograms& histograms(Metric metric) const {
        return histograms_[static_cast<std::size_t>(metric)];
    }
    [[nodiscard]] double total(Metric metric) const;
    /// Grows with each thing that is worth being written down; time alone is not.
    [[nodiscard]] std::uint64_t changes() const { return changes_; }

    /// Adds the totals of `before`: what the last worker of the pool has written down.
    void go_on_from(const Tally& before);
    /// For whoever reads a file back.
    Histogram& histogram(Metric metric, std::string_view label);

  private:
    double& value(Metric metric, std::string_view label);
    void changed();

    std::string pool_;
    std::array<Values, static_cast<std::size_t>(Metric::count_)> values_;
    std::array<Histograms, static_cast<std::size_t>(Metric::count_)> histograms_;
    std::uint64_t changes_ = 0;
    std::function<void()> on_change_;
    BootClock::time_point awake_since_ = BootClock::now();
    bool has_successor_ = false;
};

}  // namespace dormouse::metrics
