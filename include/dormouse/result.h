// The outcome of a run, as its function reports it. A value, created by one of the functions below.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace dormouse {

class Result {
  public:
    /// Completed, without a result.
    static Result completed() { return Result(Kind::completed); }

    /// Completed; `value` is stored as JSON. Defined in typed.h; needs a to_json() for Value.
    template <typename Value>
    static Result completed(const Value& value);

    /// Completed; the result is this JSON text, stored as is, at most limits.result_bytes (1 MiB). Text that is not
    /// valid JSON fails the run for good, as `bad_result`.
    static Result json(std::string text) {
        Result result(Kind::completed);
        result.text_ = std::move(text);
        return result;
    }

    /// Failed. Tried again with full jitter (backoff.base, backoff.max) while the run has attempts left; failed for
    /// good at once if `permanent`. `error_class` is for programs (100 bytes), `message` for people (8 KiB); the rest
    /// is cut.
    static Result failed(std::string error_class, std::string message, bool permanent = false) {
        Result result(Kind::failed);
        result.error_class_ = std::move(error_class);
        result.text_ = std::move(message);
        result.permanent_ = permanent;
        return result;
    }

    /// Retry after `delay`, without using an attempt (unless the task sets snooze_counts).
    static Result retry_in(std::chrono::milliseconds delay, std::string message = {}) {
        Result result = retry_later(std::move(message));
        result.delay_ = delay;
        return result;
    }

    /// Retry after backoff.base.
    static Result retry_later(std::string message = {}) {
        Result result(Kind::retry);
        result.text_ = std::move(message);
        return result;
    }

  private:
    friend struct ResultReader;
    enum class Kind { completed, failed, retry };
    explicit Result(Kind kind) : kind_(kind) {}

    Kind kind_;
    bool permanent_ = false;
    std::string error_class_;
    std::string text_;  ///< the result, or the message
    std::optional<std::chrono::milliseconds> delay_;
};

}  // namespace dormouse
