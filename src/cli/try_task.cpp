#include "cli/try_task.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "cli/account.h"
#include "cli/payload.h"
#include "cli/text.h"
#include "cli/try_as_pool.h"
#include "cli/when.h"
#include "config/duration.h"
#include "config/load.h"
#include "config/size.h"
#include "config/text.h"
#include "handlers/environment_file.h"
#include "handlers/refusal.h"
#include "handlers/registry.h"
#include "loop/loop.h"
#include "loop/signal.h"

namespace dormouse::cli {

namespace {

constexpr Millis stop_patience{10'000};
constexpr int bar_width = 30;

const char* to_string(handlers::Outcome::Kind kind) {
    switch (kind) {
        case handlers::Outcome::completed:
            return "completed";
        case handlers::Outcome::failed:
            return "failed";
        case handlers::Outcome::try_again:
            return "retry later";
        case handlers::Outcome::timed_out:
            return "timed out";
        case handlers::Outcome::stopped:
            return "stopped";
        case handlers::Outcome::not_started:
            return "not started";
    }
    return "failed";
}

std::string prefix_of(handlers::Level level) {
    return level == handlers::Level::info ? "" : std::string(log::name_of(level)) + ": ";
}

void to_stderr(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
}

/// One attempt, and everything it says.
class Trial : private handlers::RunListener {
  public:
    Trial(const config::Config& config, handlers::RunSpec spec)
        : handlers_(loop_, config.tasks, config.limits),
          on_sigint_(loop_, SIGINT, [this] { stop(); }),
          on_sigterm_(loop_, SIGTERM, [this] { stop(); }),
          id_(spec.id),
          handler_(*handlers_.find(spec.task)),
          spec_(std::move(spec)) {}

    handlers::Outcome run() {
        handler_.start(std::move(spec_), *this);
        loop_.run();
        return std::move(*outcome_);
    }

  private:
    void stop() {
        handler_.stop(id_, handlers::StopReason::canceled, stopped_ ? Millis{0} : stop_patience);
        stopped_ = true;
    }
    void on_line(const Uuid& /*id*/, const handlers::Line& line) override {
        clear_bar();
        to_stderr(prefix_of(line.level) + escaped(line.text) + "\n");
        draw_bar();
    }
    void on_progress(const Uuid& /*id*/, handlers::Progress progress) override {
        if (progress.fraction) progress_.fraction = progress.fraction;
        progress_.text = std::move(progress.text);
        if (!terminal_) to_stderr("progress: " + percent() + escaped(progress_.text) + "\n");
        clear_bar();
        draw_bar();
    }
    void on_done(const Uuid& /*id*/, handlers::Outcome outcome) override {
        clear_bar();
        outcome_ = std::move(outcome);
        loop_.stop();
    }

    [[nodiscard]] std::string percent() const {
        return progress_.fraction ? std::to_string(static_cast<int>(*progress_.fraction * 100)) + " % " : "";
    }
    void draw_bar() {
        if (!terminal_ || (!progress_.fraction && progress_.text.empty())) return;
        const int full = static_cast<int>(progress_.fraction.value_or(0) * bar_width);
        std::string bar(static_cast<std::size_t>(full), '#');
        bar.resize(bar_width, '.');
        to_stderr("[" + bar + "] " + percent() + cut(progress_.text, 40));
        drawn_ = true;
    }
    void clear_bar() {
        if (std::exchange(drawn_, false)) to_stderr("\r\033[K");
    }

    loop::Loop loop_;
    handlers::Handlers handlers_;
    loop::Signal on_sigint_;
    loop::Signal on_sigterm_;
    Uuid id_;
    handlers::Handler& handler_;
    handlers::RunSpec spec_;
    std::optional<handlers::Outcome> outcome_;
    handlers::Progress progress_;
    bool stopped_ = false;
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool drawn_ = false;
};

Try<config::Loaded> load_for(const TryOptions& options, const config::Environment& environment) {
    config::Sources sources;
    sources.environment = environment;
    sources.database_required = false;
    sources.sets = options.sets;
    sources.pool = options.pool.empty() ? "default" : options.pool;
    if (!options.file.empty()) sources.file = options.file;
    if (!options.pool.empty() || !options.file.empty()) {
        auto loaded = config::load(sources);
        if (!loaded) return no_config(loaded.error());
        return std::move(*loaded);
    }
    std::string broken;
    const auto pools = config::pools(environment);
    for (const std::string& pool : pools) {
        sources.pool = pool;
        auto loaded = config::load(sources);
        if (loaded && loaded->config.tasks.contains(options.task)) return std::move(*loaded);
        if (!loaded) broken += "; " + no_config(loaded.error()).value().message;
    }
    return give_up(Exit::config, "no pool in " + config::directory(environment) + " has the task " +
                                     config::quote(options.task) + "; name its file with --config" + broken);
}

std::string end_of(const handlers::Outcome& outcome) {
    std::string text;
    if (outcome.exit_code) text += ", exit " + std::to_string(*outcome.exit_code);
    if (outcome.signal) text += ", signal " + std::to_string(*outcome.signal);
    if (outcome.cpu) text += ", CPU " + length(static_cast<double>(outcome.cpu->count()) / 1000);
    if (outcome.peak_memory_bytes) text += ", memory " + config::size_text(*outcome.peak_memory_bytes);
    if (outcome.retry_in) text += ", again in " + config::duration_text(*outcome.retry_in);
    if (outcome.permanent) text += ", for good";
    return text;
}

void tell(const handlers::Outcome& outcome, Millis took) {
    to_stderr(std::string(to_string(outcome.kind)) + " after " + length(static_cast<double>(took.count()) / 1000) +
              end_of(outcome) + "\n");
    std::string_view rest = outcome.error_message;
    if (!outcome.error_class.empty()) to_stderr("error: " + escaped(outcome.error_class) + ": ");
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        to_stderr(escaped(rest.substr(0, end)) + "\n");
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (!outcome.enqueue.empty()) to_stderr("would enqueue: " + safe_json(outcome.enqueue) + "\n");
    if (!outcome.result.empty()) print(safe_json(outcome.result) + "\n");
}

void tell_json(const handlers::Outcome& outcome, Millis took) {
    const auto raw = [](const std::string& text) { return nlohmann::json::parse(text, nullptr, false); };
    nlohmann::json document{{"outcome", to_string(outcome.kind)}, {"took_ms", took.count()}};
    if (!outcome.result.empty()) document["result"] = raw(outcome.result);
    if (!outcome.enqueue.empty()) document["enqueue"] = raw(outcome.enqueue);
    if (!outcome.error_class.empty())
        document["error"] = {{"class", outcome.error_class}, {"message", outcome.error_message}};
    if (outcome.permanent) document["permanent"] = true;
    if (outcome.exit_code) document["exit_code"] = *outcome.exit_code;
    if (outcome.signal) document["signal"] = *outcome.signal;
    if (outcome.retry_in) document["retry_in_ms"] = outcome.retry_in->count();
    if (outcome.cpu) document["cpu_ms"] = outcome.cpu->count();
    if (outcome.peak_memory_bytes) document["peak_memory_bytes"] = *outcome.peak_memory_bytes;
    print(safe_json(document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n");
}

int code_of(const handlers::Outcome& outcome) {
    constexpr int try_again_code = 75;
    constexpr int signal_base = 128;
    switch (outcome.kind) {
        case handlers::Outcome::completed:
            return static_cast<int>(Exit::ok);
        case handlers::Outcome::try_again:
            return try_again_code;
        case handlers::Outcome::timed_out:
            return static_cast<int>(Exit::timeout);
        case handlers::Outcome::not_started:
            return static_cast<int>(Exit::config);
        case handlers::Outcome::failed:
        case handlers::Outcome::stopped:
            break;
    }
    if (outcome.signal) return signal_base + *outcome.signal;
    return outcome.exit_code.value_or(0) != 0 ? *outcome.exit_code : static_cast<int>(Exit::run_failed);
}

/// The same command, to be executed in the unit, with the payload on its stdin.
Try<int> run_in_unit(const TryOptions& options, const config::Config& config, const std::string& payload) {
    std::vector<std::string> arguments{"try", "--payload", "-", "--attempt", std::to_string(options.attempt)};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) arguments.insert(arguments.end(), {name, value});
    };
    add("--pool", config.pool);
    if (!options.file.empty()) add("--config", config.file);
    for (const std::string& set : options.sets) add("--set", set);
    add("--timeout", options.timeout);
    if (options.json) arguments.emplace_back("--json");
    arguments.insert(arguments.end(), {"--", options.task});
    return run_as_pool(config.pool, arguments, payload);
}

Try<int> run_trial(const TryOptions& options) {
    const auto loaded = load_for(options, config::of_process());
    if (!loaded) return tl::unexpected(loaded.error());
    const config::Config& config = loaded->config;
    const auto task = config.tasks.find(options.task);
    if (task == config.tasks.end())
        return give_up(Exit::config, config.file + ": there is no [task." + options.task + "]");
    if (task->second.handler == config::HandlerKind::in_process)
        return give_up(Exit::config,
                       "task " + options.task +
                           ": handler = \"in_process\" is a function of a program that links libdormouse, which that "
                           "program alone can call; start it as this pool's worker and `dormouse enqueue " +
                           options.task +
                           " PAYLOAD --wait`, or call the function in a test of its own "
                           "(docs/embedding.md)");
    auto payload = read_payload(options.payload, config.limits.payload_bytes);
    if (!payload) return tl::unexpected(payload.error());
    if (options.as_pool) return run_in_unit(options, config, *payload);
    handlers::RunSpec spec;
    spec.id = Uuid::time_ordered();
    spec.task = options.task;
    spec.queue = config.worker.queues.front();
    spec.payload = std::move(*payload);
    spec.fence = "0:" + Uuid::random().to_string();
    spec.attempt = options.attempt;
    spec.max_attempts = task->second.max_attempts;
    spec.timeout = task->second.timeout;
    spec.grace = task->second.grace;
    if (!options.timeout.empty()) {
        const auto timeout = config::parse_duration(options.timeout);
        if (!timeout) return give_up(Exit::usage, "--timeout: " + timeout.error().message);
        spec.timeout = *timeout;
    }
    if (const std::string doubtful = handlers::doubtful_in_environment_file(task->second.environment_file);
        !doubtful.empty())
        complain("warning: " + doubtful);
    const auto begin = BootClock::now();
    Trial trial(config, std::move(spec));
    handlers::Outcome outcome = trial.run();
    add_refusal_hint(outcome, task->second, config.pool);
    const Millis took = std::chrono::floor<Millis>(BootClock::now() - begin);
    options.json ? tell_json(outcome, took) : tell(outcome, took);
    return code_of(outcome);
}

}  // namespace

int try_task(const TryOptions& options) {
    const auto code = run_trial(options);
    if (!code) {
        complain(code.error().message);
        return static_cast<int>(code.error().exit);
    }
    if (const std::string trouble = stdout_trouble(); !trouble.empty()) {
        complain(trouble + ": not all of the output is there");
        return static_cast<int>(Exit::output);
    }
    return *code;
}

}  // namespace dormouse::cli
