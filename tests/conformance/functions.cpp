// The tasks of the conformance suite in C++; exec_tasks.py, warm_tasks.py and warm_tasks.js have the same ones.
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "conformance/stage.h"

namespace dormouse::conformance {

namespace {

using handlers::InProcessRun;
using handlers::Outcome;

Outcome completed(std::string result = {}) {
    Outcome outcome;
    outcome.kind = Outcome::completed;
    outcome.result = std::move(result);
    return outcome;
}

Outcome failed(std::string error_class, std::string message, bool permanent = false) {
    Outcome outcome;
    outcome.error_class = std::move(error_class);
    outcome.error_message = std::move(message);
    outcome.permanent = permanent;
    return outcome;
}

/// Until it is asked to stop.
Outcome wait(InProcessRun& run) {
    run.log(handlers::Level::info, "began");
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait(lock, run.stop_token(), [] { return false; });
    return failed("Cancelled", run.stop_reason());
}

Outcome context(InProcessRun& run) {
    const auto& spec = run.spec();
    nlohmann::json deadline;
    if (run.deadline()) deadline = std::chrono::duration<double>(run.deadline()->time_since_epoch()).count();
    return completed(nlohmann::json{
        {"id", spec.id.to_string()},
        {"task", spec.task},
        {"queue", spec.queue},
        {"attempt", std::to_string(spec.attempt)},
        {"max_attempts", std::to_string(spec.max_attempts)},
        {"fence", spec.fence},
        {"traceparent", spec.traceparent},
        {"deadline",
         deadline}}.dump());
}

Outcome later(InProcessRun& /*run*/) {
    Outcome outcome = failed("retry", "busy");
    outcome.kind = Outcome::try_again;
    outcome.retry_in = Millis{30'000};
    return outcome;
}

Outcome says(InProcessRun& run) {
    run.progress(0.5, "half");
    run.log(handlers::Level::warning, "careful");
    Outcome outcome = completed("1");
    outcome.enqueue = R"([{"task": "next", "payload": {"n": 1}}])";
    return outcome;
}

int number_in(const InProcessRun& run) {
    return nlohmann::json::parse(run.spec().payload).get<int>();
}

Outcome sized(InProcessRun& run) {
    return completed('"' + std::string(static_cast<std::size_t>(number_in(run)) - 2, 'x') + '"');
}

Outcome floods(InProcessRun& run) {
    for (int i = 0; i < number_in(run); ++i) run.log(handlers::Level::info, std::string(1000, 'y'));
    return completed("true");
}

std::string many(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "\u00fc";
    return text;
}

Outcome verbose(InProcessRun& run) {
    run.log(handlers::Level::info, many(5'000));
    run.progress(0.5, many(500));
    return failed("ValueError", many(10'000));
}

Outcome hoards(InProcessRun& run) {
    Outcome outcome = completed();
    outcome.enqueue =
        R"([{"task": "next", "payload": ")" + std::string(static_cast<std::size_t>(number_in(run)), 'x') + R"("}])";
    return outcome;
}

Outcome quiet(InProcessRun& run) {
    run.heartbeat(Millis{300});
    return wait(run);
}

/// Does not stop when it is asked to, but ends with the test.
Outcome stubborn(InProcessRun& run) {
    run.log(handlers::Level::info, "began");
    const auto last = BootClock::now() + Millis{2'000};
    while (BootClock::now() < last) std::this_thread::sleep_for(Millis{10});
    return completed();
}

}  // namespace

handlers::Functions functions() {
    return {{"echo", [](InProcessRun& run) { return completed(run.spec().payload); }},
            {"context", context},
            {"nothing", [](InProcessRun&) { return completed(); }},
            {"fails", [](InProcessRun&) { return failed("ValueError", "no such thing"); }},
            {"fails_for_good", [](InProcessRun&) { return failed("Fail", "never", true); }},
            {"later", later},
            {"says", says},
            {"sized", sized},
            {"floods", floods},
            {"verbose", verbose},
            {"hoards", hoards},
            {"quiet", quiet},
            {"waits", wait},
            {"stubborn", stubborn}};
}

}  // namespace dormouse::conformance
