#include "metrics/tally.h"

#include <algorithm>
#include <numeric>

namespace dormouse::metrics {
namespace {

constexpr std::array<std::string_view, 4> doorbells{"socket", "path", "timer", "other"};

template <typename Map>
auto& entry(Map& map, std::string_view label) {
    auto found = map.find(label);
    if (found != map.end()) return found->second;
    return map[std::string(map.size() < Tally::most_labels ? label : "other")];
}

double seconds(BootClock::duration time) {
    return std::chrono::duration<double>(std::max(time, BootClock::duration{0})).count();
}

}  // namespace

double& Tally::value(Metric metric, std::string_view label) {
    return entry(values_[static_cast<std::size_t>(metric)], label);
}

Histogram& Tally::histogram(Metric metric, std::string_view label) {
    return entry(histograms_[static_cast<std::size_t>(metric)], label);
}

void Tally::expect(int pool_size, const std::vector<std::string>& tasks) {
    value(Metric::pool_size, "") = pool_size;
    value(Metric::slots_busy, "");
    for (const Family& family : families()) {
        if (family.kind == MetricKind::histogram)
            for (const std::string& task : tasks) histogram(family.metric, task);
        if (family.kind != MetricKind::counter) continue;
        if (family.label.empty()) value(family.metric, "");
        if (family.label == "task")
            for (const std::string& task : tasks) value(family.metric, task);
        if (family.label == "doorbell")
            for (const std::string_view doorbell : doorbells) value(family.metric, doorbell);
    }
}

void Tally::changed() {
    ++changes_;
    if (on_change_) on_change_();
}

void Tally::add(Metric metric, double amount, std::string_view label) {
    value(metric, label) += amount;
    changed();
}

void Tally::set(Metric metric, double amount, std::string_view label) {
    double& there = value(metric, label);
    if (there == amount) return;
    there = amount;
    changed();
}

void Tally::forget(Metric metric) {
    values_[static_cast<std::size_t>(metric)].clear();
}

void Tally::observe(Metric metric, Millis time, std::string_view label) {
    const double value = std::chrono::duration<double>(time).count();
    Histogram& into = histogram(metric, label);
    ++into.counts[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin())];
    into.sum += value;
    changed();
}

/// A session that is opened anew counts its statements from 0 again.
void Tally::sessions(Sessions& told, BootClock::time_point now, const std::array<bool, 2>& open,
                     const std::array<std::uint64_t, 2>& statements) {
    value(Metric::session_seconds, "") += told.open * seconds(now - told.since);
    told.since = now;
    told.open = static_cast<int>(std::count(open.begin(), open.end(), true));
    for (std::size_t wire = 0; wire < open.size(); ++wire) {
        const std::uint64_t sent = statements[wire];
        const std::uint64_t more = sent >= told.statements[wire] ? sent - told.statements[wire] : sent;
        told.statements[wire] = sent;
        if (more > 0) add(Metric::statements, static_cast<double>(more));
    }
}

void Tally::awake_until(BootClock::time_point now) {
    if (has_successor_) return;
    value(Metric::awake_seconds, "") += seconds(now - awake_since_);
    awake_since_ = now;
}

double Tally::total(Metric metric) const {
    const Values& all = values(metric);
    return std::accumulate(all.begin(), all.end(), 0.0,
                           [](double sum, const auto& entry) { return sum + entry.second; });
}

void Tally::go_on_from(const Tally& before) {
    for (const Family& family : families()) {
        if (family.kind == MetricKind::counter)
            for (const auto& [label, amount] : before.values(family.metric)) value(family.metric, label) += amount;
        for (const auto& [label, more] : before.histograms(family.metric)) {
            Histogram& into = histogram(family.metric, label);
            for (std::size_t i = 0; i < into.counts.size(); ++i) into.counts[i] += more.counts[i];
            into.sum += more.sum;
        }
    }
}

}  // namespace dormouse::metrics
