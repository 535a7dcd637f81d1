#include "metrics/exposition.h"

#include <charconv>
#include <cmath>

namespace dormouse::metrics {
namespace {

std::string number(double value) {
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
    return {text.data(), end.ptr};
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

const char* word_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::gauge:
            return "gauge";
        case MetricKind::counter:
            return "counter";
        case MetricKind::histogram:
            return "histogram";
    }
    return "untyped";
}

class Writer {
  public:
    explicit Writer(const std::string& pool) : pool_("pool=\"" + escaped(pool) + "\"") {}

    void head(std::string_view name, MetricKind kind, std::string_view help) {
        out_ += "# HELP " + std::string(name) + " " + std::string(help) + "\n# TYPE " + std::string(name) + " " +
                word_of(kind) + "\n";
    }
    void sample(std::string_view name, const std::string& labels, double value) {
        out_ += std::string(name) + "{" + pool_ + labels + "} " + number(value) + "\n";
    }
    void histogram(std::string_view name, const std::string& labels, const Histogram& histogram) {
        const std::string base(name);
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
            count += histogram.counts[i];
            const std::string bound = i < bounds.size() ? number(bounds[i]) : "+Inf";
            sample(base + "_bucket", labels + ",le=\"" + bound + "\"", static_cast<double>(count));
        }
        sample(base + "_sum", labels, histogram.sum);
        sample(base + "_count", labels, static_cast<double>(count));
    }
    std::string take() { return std::move(out_); }

  private:
    std::string pool_;
    std::string out_;
};

std::string label_of(const Family& family, std::string_view value) {
    return family.label.empty() ? "" : "," + std::string(family.label) + "=\"" + escaped(value) + "\"";
}

/// Names that runbooks of an older worker look at.
void write_old_names(Writer& writer, const Tally& tally) {
    writer.head("nova_worker_pool_size", MetricKind::gauge, "dormouse_pool_size, under the name of older runbooks.");
    writer.sample("nova_worker_pool_size", "", tally.total(Metric::pool_size));
    if (!tally.values(Metric::runs_queued).empty()) {
        writer.head("nova_runs_queued", MetricKind::gauge,
                    "The sum of dormouse_runs_queued, under the name of older runbooks.");
        writer.sample("nova_runs_queued", "", tally.total(Metric::runs_queued));
    }
    Histogram all;
    for (const auto& [task, one] : tally.histograms(Metric::run_duration)) {
        for (std::size_t i = 0; i < all.counts.size(); ++i) all.counts[i] += one.counts[i];
        all.sum += one.sum;
    }
    writer.head("nova_run_duration_seconds", MetricKind::histogram,
                "dormouse_run_duration_seconds of all tasks, under the name of older runbooks.");
    writer.histogram("nova_run_duration_seconds", "", all);
    writer.head("nova_worker_errors_total", MetricKind::counter,
                "Failed, retried and lost attempts, under the name of older runbooks.");
    writer.sample(
        "nova_worker_errors_total", "",
        tally.total(Metric::runs_failed) + tally.total(Metric::runs_retried) + tally.total(Metric::runs_lost));
}

}  // namespace

std::string exposition(const Tally& tally, double unix_now) {
    Writer writer(tally.pool());
    for (const Family& family : families()) {
        const bool is_time = family.metric == Metric::snapshot_time;
        if (!is_time && tally.values(family.metric).empty() && tally.histograms(family.metric).empty()) continue;
        writer.head(family.name, family.kind, family.help);
        if (is_time) writer.sample(family.name, "", unix_now);
        for (const auto& [label, value] : tally.values(family.metric))
            writer.sample(family.name, label_of(family, label), value);
        for (const auto& [label, histogram] : tally.histograms(family.metric))
            writer.histogram(family.name, label_of(family, label), histogram);
    }
    write_old_names(writer, tally);
    return writer.take();
}

}  // namespace dormouse::metrics
