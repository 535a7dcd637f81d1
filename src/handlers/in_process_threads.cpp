#include "handlers/in_process_threads.h"

#include <chrono>
#include <csignal>
#include <system_error>

namespace dormouse::handlers {
namespace {

constexpr std::chrono::microseconds brief{20};  // less than waking another thread takes

}  // namespace

InProcessThreads::~InProcessThreads() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
        waiting_.clear();
    }
    woken_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void InProcessThreads::set_most(std::size_t most) {
    const std::lock_guard lock(mutex_);
    most_ = most;
}

bool InProcessThreads::add(const std::vector<InProcessRun*>& runs) {
    std::unique_lock lock(mutex_);
    waiting_.insert(waiting_.end(), runs.begin(), runs.end());
    const bool wakes = get_help();
    if (threads_.empty()) {
        waiting_.clear();
        return false;
    }
    lock.unlock();
    if (wakes) woken_.notify_one();
    return true;
}

bool InProcessThreads::help_those_who_wait() {
    std::unique_lock lock(mutex_);
    if (waiting_.empty()) return false;
    brief_ = false;
    const bool wakes = get_help();
    lock.unlock();
    if (wakes) woken_.notify_one();
    return true;
}

std::size_t InProcessThreads::made() const {
    const std::lock_guard lock(mutex_);
    return threads_.size();
}

// One at a time: whoever is woken wakes the next if there is more, so a burst of short runs costs its producer one
// system call and wakes no more threads than it takes. Called with the lock, whenever work was added or taken, unless
// runs were brief so far: then no thread is woken for what one thread does sooner by itself. True: the caller has to
// wake a thread after it has released the lock, which that thread would otherwise wait for.
bool InProcessThreads::get_help() {
    if (waiting_.empty() || help_is_coming_ || over_) return false;
    if (idle_ > 0) return help_is_coming_ = true;
    if (threads_.size() < most_) help_is_coming_ = make_one();
    return false;
}

/// The threads take no signals: those are for the loop, or for whoever's program this is.
bool InProcessThreads::make_one() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = true;
    try {
        threads_.emplace_back([this] { live(); });
    } catch (const std::system_error&) {
        made = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return made;
}

void InProcessThreads::live() {
    std::unique_lock lock(mutex_);
    help_is_coming_ = false;
    while (true) {
        while (!waiting_.empty()) {
            InProcessRun& run = *waiting_.front();
            waiting_.pop_front();
            const bool wakes = !brief_ && get_help();
            lock.unlock();
            if (wakes) woken_.notify_one();
            const auto began = std::chrono::steady_clock::now();
            work_(run);
            const bool was_brief = std::chrono::steady_clock::now() - began < brief;
            lock.lock();
            brief_ = was_brief;
        }
        if (over_) return;
        ++idle_;
        woken_.wait(lock, [this] { return over_ || help_is_coming_; });
        --idle_;
        help_is_coming_ = false;
    }
}

}  // namespace dormouse::handlers
