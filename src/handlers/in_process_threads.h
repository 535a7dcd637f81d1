// The threads that functions of this program are executed on: made when there is work and none of them is free, up to
// a number; one without work waits and costs nothing. Driven by InProcess. Knows nothing of what the work is.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace dormouse::handlers {

class InProcessRun;

class InProcessThreads {
  public:
    /// `work` is called with each run that is added, on one of the threads. It throws nothing.
    explicit InProcessThreads(std::function<void(InProcessRun&)> work) : work_(std::move(work)) {}
    /// Waits until what is at work has returned; what has not begun is dropped.
    ~InProcessThreads();
    InProcessThreads(const InProcessThreads&) = delete;
    InProcessThreads& operator=(const InProcessThreads&) = delete;

    /// No more threads are made than that; those that there are stay.
    void set_most(std::size_t most);
    /// False: there is no thread, and none can be made; they are not taken.
    [[nodiscard]] bool add(const std::vector<InProcessRun*>& runs);
    /// To be called a millisecond after add(), and again while it is true: something waits. Runs that were brief until
    /// now are executed one after the other by one thread (runs a second: 45,000 with four threads instead of 34,000,
    /// 67,000 with a thousand instead of 51,000); one that takes longer must not keep the others waiting.
    bool help_those_who_wait();
    /// How many have been made.
    [[nodiscard]] std::size_t made() const;

  private:
    void live();
    bool get_help();
    bool make_one();

    std::function<void(InProcessRun&)> work_;
    mutable std::mutex mutex_;
    // guarded by mutex_
    std::condition_variable woken_;
    std::deque<InProcessRun*> waiting_;
    std::vector<std::thread> threads_;
    std::size_t most_ = 1;
    std::size_t idle_ = 0;
    bool help_is_coming_ = false;  ///< a thread has been woken or made, and has not looked yet
    bool brief_ = false;           ///< the last run that ended took less time than it takes to wake a thread
    bool over_ = false;
};

}  // namespace dormouse::handlers
