#include "dormouse/run.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "embed/run_impl.h"
#include "handlers/json_text.h"

namespace dormouse {
namespace {

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

handlers::Level level_of(Level level) {
    switch (level) {
        case Level::debug:
            return handlers::Level::debug;
        case Level::warning:
            return handlers::Level::warning;
        case Level::error:
            return handlers::Level::error;
        case Level::info:
            break;
    }
    return handlers::Level::info;
}

}  // namespace

std::string Run::id() const {
    return impl_.run.spec().id.to_string();
}

std::string_view Run::task() const {
    return impl_.run.spec().task;
}

std::string_view Run::queue() const {
    return impl_.run.spec().queue;
}

std::string_view Run::payload() const {
    return impl_.run.spec().payload;
}

int Run::attempt() const {
    return impl_.run.spec().attempt;
}

int Run::max_attempts() const {
    return impl_.run.spec().max_attempts;
}

std::string_view Run::fence() const {
    return impl_.run.spec().fence;
}

std::optional<std::chrono::system_clock::time_point> Run::deadline() const {
    return impl_.run.deadline();
}

std::string_view Run::traceparent() const {
    const std::string& text = impl_.run.spec().traceparent;
    return handlers::is_traceparent(text) ? std::string_view(text) : std::string_view();
}

std::stop_token Run::stop_token() const {
    return impl_.run.stop_token();
}

std::string_view Run::stop_reason() const {
    return impl_.run.stop_reason();
}

void Run::progress(double fraction, std::string_view text) {
    impl_.run.progress(fraction, text);
}

void Run::progress(std::string_view text) {
    impl_.run.progress(std::nullopt, text);
}

void Run::log(Level level, std::string_view text) {
    impl_.run.log(level_of(level), text);
}

void Run::heartbeat(std::chrono::milliseconds within) {
    impl_.run.heartbeat(within);
}

void Run::enqueue(const NewRun& run) {
    if (!handlers::is_json(run.payload))
        throw std::invalid_argument("enqueue: the payload for task " + run.task + " is not JSON");
    std::string text = "{\"task\":" + quoted(run.task) + ",\"payload\":" + run.payload;
    if (run.queue) text += ",\"queue\":" + quoted(*run.queue);
    if (run.priority) text += ",\"priority\":" + std::to_string(*run.priority);
    if (run.key) text += ",\"key\":" + quoted(*run.key);
    if (run.delay) text += ",\"delay\":\"" + std::to_string(run.delay->count()) + " milliseconds\"";
    if (run.max_attempts) text += ",\"max_attempts\":" + std::to_string(*run.max_attempts);
    text += '}';
    const std::lock_guard lock(impl_.mutex);
    impl_.enqueue += (impl_.enqueue.empty() ? "[" : ",") + text;
}

}  // namespace dormouse
