// One attempt of a run, as seen by the function that executes it: what it receives, and what it may report.
//
// Threads: every member may be called from any thread until the function returns, never afterwards.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "dormouse/config.h"

namespace dormouse {

/// A run to enqueue. Omitted members have the defaults of dormouse.enqueue().
struct NewRun {
    std::string task;
    std::string payload = "{}";  ///< JSON text; json_of() in typed.h makes it from a value
    std::optional<std::string> queue = std::nullopt;
    std::optional<int> priority = std::nullopt;     ///< smaller numbers first; the default is 0
    std::optional<std::string> key = std::nullopt;  ///< (task, key) is unique, finished runs included
    std::optional<std::chrono::milliseconds> delay = std::nullopt;
    std::optional<int> max_attempts = std::nullopt;
};

class Run {
  public:
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    /// The run's uuid, 36 characters; the same for every attempt.
    [[nodiscard]] std::string id() const;
    [[nodiscard]] std::string_view task() const;
    [[nodiscard]] std::string_view queue() const;
    /// JSON text as Postgres wrote it; valid until the function returns.
    [[nodiscard]] std::string_view payload() const;
    /// 1 is the first.
    [[nodiscard]] int attempt() const;
    [[nodiscard]] int max_attempts() const;
    /// "N:UUID", different for each attempt: store it with what you write to other systems, and refuse a write with
    /// an older N.
    [[nodiscard]] std::string_view fence() const;
    /// When the attempt times out; none without a timeout.
    [[nodiscard]] std::optional<std::chrono::system_clock::time_point> deadline() const;
    /// W3C trace context; empty if the producer gave none.
    [[nodiscard]] std::string_view traceparent() const;

    /// Stop is requested when the run is canceled or times out, when its lease is lost or the worker exits. The
    /// function should then return soon, with any Result. After 10 s it is abandoned: its Result is dropped, and its
    /// thread, which cannot be killed, is not available for other runs until it returns. A std::stop_callback is called
    /// on the worker's own thread: it must be quick.
    [[nodiscard]] std::stop_token stop_token() const;
    [[nodiscard]] bool stop_requested() const { return stop_token().stop_requested(); }
    /// "canceled", "timeout", "lease_lost" or "leaving"; empty before.
    [[nodiscard]] std::string_view stop_reason() const;

    /// Reports progress, from 0 to 1, and in words (200 bytes). Cheap; the latest counts.
    void progress(double fraction, std::string_view text = {});
    void progress(std::string_view text);

    /// Adds one or more lines to the run's log; a line is cut at 8 KiB, the log at limits.log_bytes (64 KiB).
    void log(Level level, std::string_view text);

    /// Sets a shorter deadline: the attempt times out unless this is called again within that time. 0 removes it.
    void heartbeat(std::chrono::milliseconds within);

    /// Enqueues a run in the transaction of the completion; nothing is enqueued if this run does not complete. Throws
    /// std::invalid_argument if the payload is not JSON.
    void enqueue(const NewRun& run);

  private:
    friend struct RunMaker;
    struct Impl;
    explicit Run(Impl& impl) : impl_(impl) {}

    Impl& impl_;
};

}  // namespace dormouse
