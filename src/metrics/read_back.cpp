// The reading half of exposition.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "metrics/exposition.h"

namespace dormouse::metrics {
namespace {

using Labels = std::map<std::string, std::string, std::less<>>;

struct Sample {
    std::string_view name;
    Labels labels;
    double value = 0;
};

/// Counted in doubles, which are exact up to here.
constexpr double most = 9'007'199'254'740'992;

bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view take_name(std::string_view& rest) {
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_name);
    const std::string_view name = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    rest.remove_prefix(name.size());
    return name;
}

bool take(std::string_view& rest, char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
}

std::optional<std::string> take_quoted(std::string_view& rest) {
    if (!take(rest, '"')) return std::nullopt;
    std::string text;
    while (!rest.empty() && rest.front() != '"') {
        char c = rest.front();
        rest.remove_prefix(1);
        if (c == '\\') {
            if (rest.empty()) return std::nullopt;
            c = rest.front() == 'n' ? '\n' : rest.front();
            rest.remove_prefix(1);
        }
        text += c;
    }
    if (!take(rest, '"')) return std::nullopt;
    return text;
}

std::optional<double> to_number(std::string_view text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || std::isnan(value)) return std::nullopt;
    return value;
}

std::optional<Sample> sample_of(std::string_view line) {
    Sample sample;
    sample.name = take_name(line);
    if (sample.name.empty() || !take(line, '{')) return std::nullopt;
    while (!take(line, '}')) {
        const std::string name(take_name(line));
        if (name.empty() || !take(line, '=')) return std::nullopt;
        auto value = take_quoted(line);
        if (!value || !sample.labels.emplace(name, std::move(*value)).second) return std::nullopt;
        if (!take(line, ',') && !line.starts_with('}')) return std::nullopt;
    }
    if (!take(line, ' ')) return std::nullopt;
    const auto value = to_number(line);
    if (!value) return std::nullopt;
    sample.value = *value;
    return sample;
}

std::string_view without(std::string_view name, std::string_view end) {
    return name.ends_with(end) ? name.substr(0, name.size() - end.size()) : std::string_view();
}

std::string label_of(const Family& family, const Labels& labels) {
    const auto found = labels.find(family.label);
    return found == labels.end() ? "" : found->second;
}

bool is_count(double value) {
    return value >= 0 && value <= most && value == std::floor(value);
}

/// Cumulative, as they are written, in their order. Buckets of another version are left out.
bool take_bucket(Tally& into, const Family& family, const Sample& sample) {
    const auto le = sample.labels.find("le");
    const auto bound = le == sample.labels.end() ? std::nullopt : to_number(le->second);
    if (!bound || !is_count(sample.value)) return false;
    const auto place =
        static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), *bound) - bounds.begin());
    Histogram& histogram = into.histogram(family.metric, label_of(family, sample.labels));
    const auto count = static_cast<std::uint64_t>(sample.value);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) below += i == place ? 0 : histogram.counts[i];
    if (count < below) return false;
    histogram.counts[place] = count - below;
    return true;
}

/// False: it makes no sense.
bool take_sample(Tally& into, const Sample& sample) {
    const Family* family = find_family(sample.name);
    if (family != nullptr && family->kind == MetricKind::counter) {
        if (sample.value < 0 || sample.value > most) return false;
        into.add(family->metric, sample.value, label_of(*family, sample.labels));
        return true;
    }
    const Family* bucket = find_family(without(sample.name, "_bucket"));
    if (bucket != nullptr && bucket->kind == MetricKind::histogram) return take_bucket(into, *bucket, sample);
    const Family* sum = find_family(without(sample.name, "_sum"));
    if (sum == nullptr || sum->kind != MetricKind::histogram) return true;
    if (sample.value < 0 || sample.value > most) return false;
    into.histogram(sum->metric, label_of(*sum, sample.labels)).sum = sample.value;
    return true;
}

}  // namespace

Result<Tally> read_exposition(std::string_view text, const std::string& pool) {
    Tally tally(pool);
    if (!text.empty() && !text.ends_with('\n')) return fail(ErrorKind::invalid, "its last line is cut off");
    for (int number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() + 1);
        if (line.empty() || line.starts_with('#')) continue;
        const auto wrong = [&](const char* what) {
            return fail(ErrorKind::invalid, "line " + std::to_string(number) + ": " + what);
        };
        const auto sample = sample_of(line);
        if (!sample) return wrong("it is no sample in the text format of Prometheus");
        const auto of = sample->labels.find("pool");
        if (of == sample->labels.end() || of->second != pool) return wrong("it is about another pool");
        if (!take_sample(tally, *sample)) return wrong("its value is none that such a metric can have");
    }
    return tally;
}

std::optional<double> read_gauge(std::string_view text, Metric metric) {
    const std::string start = std::string(family_of(metric).name) + "{";
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), text.find('\n') + 1))) {
        if (!text.starts_with(start)) continue;
        const auto sample = sample_of(text.substr(0, text.find('\n')));
        return sample ? std::optional(sample->value) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace dormouse::metrics
