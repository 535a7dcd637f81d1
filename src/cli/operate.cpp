#include "cli/operate.h"

#include "cli/operate_parts.h"
#include "cli/rings.h"

namespace dormouse::cli {

std::optional<std::string> text_or_null(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

Failure explained(postgres::BlockingConnection& connection, const Error& error) {
    Failure failure = refusal(connection, error);
    if (failure.exit == Exit::denied)
        failure.message +=
            "; a producer may cancel and retry by complete ids, the rest needs dormouse_operator, and all tables of dormouse one owner; "
            "dormouse doctor names what is missing";
    return failure;
}

void ring_for(const std::set<std::string>& queues, bool quiet, postgres::BlockingConnection& connection) {
    for (const std::string& queue : queues) {
        const Rings rings = ring_pools(queue, config::of_process());
        if (!quiet) tell_rings(rings, queue, connection);
    }
}

Outcome operate(const Operation& operation, const OperateOptions& options) {
    if (!options.runs.empty() && !options.filter.empty())
        return give_up(Exit::usage, std::string(operation.name) + ": give ids or a filter, not both");
    if (options.runs.empty() && options.filter.empty())
        return give_up(
            Exit::usage,
            std::string(operation.name) +
                ": which runs? Give ids, or a filter: --status, --task, --queue, --key, --error, --worker, --older");
    if (!options.runs.empty() && options.limit)
        return give_up(Exit::usage, "--limit: only with a filter, not with ids");
    if (!options.runs.empty() && options.per_minute)
        return give_up(Exit::usage, "--per-minute: is for a filter; runs that are named are due at once");
    return options.runs.empty() ? operate_on_filter(operation, options) : operate_on_ids(operation, options);
}

}  // namespace dormouse::cli
