// One attempt as a span of OpenTelemetry: what identifies it, which the handler gets as its traceparent, and its form
// as OTLP/JSON. Sources: W3C Trace Context; opentelemetry-proto, trace.proto, and its JSON encoding; the messaging
// conventions ("process"). Pure, but for the clock and random ids.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace dormouse::traces {

struct Context {
    std::string trace_id;         ///< 32 hex digits
    std::string span_id;          ///< 16; each attempt's own
    std::string parent_id;        ///< 16: the producer's span; empty: none, as of a retry
    std::string linked_trace_id;  ///< where the run comes from; empty: nowhere
    std::string linked_span_id;
    std::int64_t start_ns = 0;

    [[nodiscard]] std::string traceparent() const;
};

/// Of an attempt that begins now; the first is number 1. `traceparent` is the producer's, as W3C has it, or empty: then
/// the first attempt's trace has the run's own id. A retry is a trace of its own, with a link to the producer's span,
/// or to the run's trace. None: the producer said that its trace is not recorded.
std::optional<Context> begin(const Uuid& run, int attempt, std::string_view traceparent);

struct Attempt {
    std::string task;
    std::string queue;
    Uuid run;
    int attempt = 1;
    std::string outcome;  ///< "completed", "failed", "retry", …
    bool error = false;   ///< it is one: the next two say which
    std::string error_class;
    std::string error_message;
    std::optional<int> exit_code;
    std::chrono::nanoseconds took{0};
};

std::string to_json(const Context& context, const Attempt& attempt);

/// Who has made the spans.
struct Source {
    std::string service;
    std::string version;
    std::string instance;
    std::string host;
    std::string pool;
};

/// An ExportTraceServiceRequest: one line, with its end.
std::string line_of(const Source& source, const std::vector<std::string>& spans);

}  // namespace dormouse::traces
