#include "traces/span.h"

#include <chrono>
#include <nlohmann/json.hpp>

namespace dormouse::traces {
namespace {

using nlohmann::ordered_json;

constexpr int kind_consumer = 5;
constexpr int status_error = 2;
constexpr unsigned sampled = 0x01;
constexpr unsigned is_remote_known = 0x100;
constexpr unsigned is_remote = 0x200;
constexpr std::size_t longest_message = 2'000;

std::string without_hyphens(std::string text) {
    std::erase(text, '-');
    return text;
}

ordered_json attribute(const char* key, const std::string& value) {
    return {{"key", key}, {"value", {{"stringValue", value}}}};
}

/// 64 bits are texts in this JSON.
ordered_json attribute(const char* key, std::int64_t value) {
    return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}};
}

std::string dumped(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string Context::traceparent() const {
    return "00-" + trace_id + "-" + span_id + "-01";
}

std::optional<Context> begin(const Uuid& run, int attempt, std::string_view traceparent) {
    constexpr std::size_t trace_at = 3;
    constexpr std::size_t parent_at = 36;
    constexpr std::size_t flags_end = 54;
    constexpr std::string_view odd = "13579bdf";
    Context context;
    context.span_id = without_hyphens(Uuid::random().to_string()).substr(0, 16);
    context.start_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    const bool produced = traceparent.size() > flags_end;
    if (produced && odd.find(traceparent[flags_end]) == std::string_view::npos) return std::nullopt;
    const std::string own = without_hyphens(run.to_string());
    const std::string trace(produced ? traceparent.substr(trace_at, 32) : own);
    const std::string span(produced ? traceparent.substr(parent_at, 16) : own.substr(16));
    const bool retry = attempt > 1;
    context.trace_id = retry ? without_hyphens(Uuid::random().to_string()) : trace;
    if (!retry && produced) context.parent_id = span;
    // The conventions want a link to who made the message, whoever the parent is.
    if (retry || produced) {
        context.linked_trace_id = trace;
        context.linked_span_id = span;
    }
    return context;
}

std::string to_json(const Context& context, const Attempt& attempt) {
    ordered_json span{{"traceId", context.trace_id}, {"spanId", context.span_id}};
    const bool has_parent = !context.parent_id.empty();
    const unsigned flags = sampled | is_remote_known | (has_parent ? is_remote : 0U);
    if (has_parent) span["parentSpanId"] = context.parent_id;
    span["flags"] = flags;
    span["name"] = attempt.task;
    span["kind"] = kind_consumer;
    span["startTimeUnixNano"] = std::to_string(context.start_ns);
    span["endTimeUnixNano"] = std::to_string(context.start_ns + attempt.took.count());
    span["attributes"] = ordered_json::array(
        {attribute("messaging.system", "dormouse"), attribute("messaging.operation.type", "process"),
         attribute("messaging.operation.name", "process"), attribute("messaging.destination.name", attempt.queue),
         attribute("messaging.message.id", attempt.run.to_string()),
         attribute("dormouse.run.id", attempt.run.to_string()), attribute("dormouse.task", attempt.task),
         attribute("dormouse.attempt", std::int64_t{attempt.attempt}), attribute("dormouse.outcome", attempt.outcome)});
    if (attempt.error) span["attributes"].push_back(attribute("error.type", attempt.error_class));
    if (attempt.exit_code)
        span["attributes"].push_back(attribute("process.exit.code", std::int64_t{*attempt.exit_code}));
    if (!context.linked_trace_id.empty())
        span["links"] = ordered_json::array({{{"traceId", context.linked_trace_id},
                                              {"spanId", context.linked_span_id},
                                              {"flags", sampled | is_remote_known | is_remote}}});
    span["status"] = ordered_json::object();
    if (attempt.error)
        span["status"] = {{"code", status_error}, {"message", attempt.error_message.substr(0, longest_message)}};
    return dumped(span);
}

std::string line_of(const Source& source, const std::vector<std::string>& spans) {
    const ordered_json resource{
        {"attributes",
         ordered_json::array({attribute("service.name", source.service), attribute("service.version", source.version),
                              attribute("service.instance.id", source.instance), attribute("host.name", source.host),
                              attribute("dormouse.pool", source.pool)})}};
    const ordered_json scope{{"name", "dormouse"}, {"version", source.version}};
    std::string line = R"({"resourceSpans":[{"resource":)" + dumped(resource) + R"(,"scopeSpans":[{"scope":)" +
                       dumped(scope) + R"(,"spans":[)";
    for (std::size_t i = 0; i < spans.size(); ++i) line.append(i == 0 ? "" : ",").append(spans[i]);
    return line + "]}]}]}\n";
}

}  // namespace dormouse::traces
