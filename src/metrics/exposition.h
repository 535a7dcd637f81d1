// The text format of Prometheus, version 0.0.4: written for scrapes and for node_exporter, and read back by the next
// worker of the pool, whose totals go on from there. What is read may be anything: it is checked, never trusted.
// Source: "Exposition formats" in the documentation of Prometheus.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "metrics/tally.h"

namespace dormouse::metrics {

inline constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

/// All there is, as of `unix_now`; and under the names of older runbooks (nova_…) what those look at.
std::string exposition(const Tally& tally, double unix_now);

/// The totals and histograms that exposition() has written for this pool. What it does not know, another version's, is
/// left out. Errors: invalid, with the line.
Result<Tally> read_exposition(std::string_view text, const std::string& pool);

/// The gauge of that name which exposition() has written, for whoever looks at the file; none: it is not there.
std::optional<double> read_gauge(std::string_view text, Metric metric);

}  // namespace dormouse::metrics
