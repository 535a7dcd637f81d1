// One attempt at a run, as the function that executes it sees it: what it was given, and what it may say on the way.
//
// Thread: every member may be called from any thread until the function has returned, never afterwards.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "dormouse/config.h"

namespace dormouse {

/// A run that is to be enqueued. What is left out is as dormouse.enqueue() has it.
struct NewRun {
    std::string task;
    std::string payload = "{}";  ///< JSON text; json_of() in typed.h makes it of a value
    std::optional<std::string> queue = std::nullopt;
    std::optional<int> priority = std::nullopt;     ///< the smaller number first; 0 is ordinary
    std::optional<std::string> key = std::nullopt;  ///< (task, key) exists once, over all of history
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
    /// "N:UUID", another one for each attempt: store it with what you write elsewhere, and refuse a write under an
    /// older N.
    [[nodiscard]] std::string_view fence() const;
    /// When it will have timed out; none without a timeout.
    [[nodiscard]] std::optional<std::chrono::system_clock::time_point> deadline() const;
    /// W3C trace context; empty if the producer gave none.
    [[nodiscard]] std::string_view traceparent() const;

    /// Requested when the run was canceled or has timed out, when its lease is lost or the worker leaves. The function
    /// should return soon, with whatever Result; 10 s later it is given up: what it says is dropped, and its thread,
    /// which cannot be ended, is one less for others until it returns. A std::stop_callback is called on the worker's
    /// own thread: it must be quick.
    [[nodiscard]] std::stop_token stop_token() const;
    [[nodiscard]] bool stop_requested() const { return stop_token().stop_requested(); }
    /// "canceled", "timeout", "lease_lost" or "leaving"; empty before.
    [[nodiscard]] std::string_view stop_reason() const;

    /// How far it is, from 0 to 1, and in words (200 bytes). Cheap; the latest counts.
    void progress(double fraction, std::string_view text = {});
    void progress(std::string_view text);

    /// A line of the run's log, or several; each is cut at 8 KiB, all of them at limits.log_bytes (64 KiB).
    void log(Level level, std::string_view text);

    /// A deadline of its own: timed out unless this is called again within that time. 0 ends that.
    void heartbeat(std::chrono::milliseconds within);

    /// Enqueues a run with the completion, in the same transaction; nothing of it happens if this run does not
    /// complete. Throws std::invalid_argument if the payload is no JSON.
    void enqueue(const NewRun& run);

  private:
    friend struct RunMaker;
    struct Impl;
    explicit Run(Impl& impl) : impl_(impl) {}

    Impl& impl_;
};

}  // namespace dormouse
