#include "handlers/launcher.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/limits.h"
#include "base/signals_blocked.h"
#include "loop/background.h"

namespace dormouse::handlers {

namespace {

constexpr int usual_threads = 1;
constexpr Millis held_after{50};  // most starts take less than one

tl::unexpected<Error> called_off(const std::string& name) {
    return fail(
        ErrorKind::transient,
        name +
            ": its start was abandoned while it waited for its program, working directory or environment file (a "
            "disk that does not answer?)");
}

/// Nobody waits for it any more.
void clear_away(Started started) {
    ::syscall(SYS_pidfd_send_signal, started.process.pidfd.get(), SIGKILL, nullptr, 0);
    if (started.cgroup) started.cgroup->kill();
    siginfo_t how{};
    while (::waitid(P_PIDFD, started.process.pidfd.get(), &how, WEXITED) < 0 && errno == EINTR) {
    }
}

}  // namespace

struct Launcher::Start {
    enum class Stage { waiting, preparing, cloning, over };

    Order order;
    std::function<Result<RunCgroup>()> make_cgroup;  ///< empty: there are none
    OnOver on_over;                                  ///< the loop's thread; empty: given up
    InFlight in_flight;
    // guarded by Shared::mutex
    Stage stage = Stage::waiting;
    bool given_up = false;
    std::optional<Result<Started>> outcome;
};

struct Launcher::Shared {
    mutable std::mutex mutex;
    std::condition_variable wanted;   ///< a start waits, or the loop has gone
    std::condition_variable changed;  ///< a start is over, or a thread
    // guarded by mutex
    std::deque<Ticket> waiting;
    std::vector<Ticket> cloning;
    std::vector<Ticket> over;      ///< and not told yet
    loop::Async* knock = nullptr;  ///< none: the loop has gone
    int threads = 0;
    int idle = 0;                      ///< of them
    int busy = 0;                      ///< of them
    BootClock::time_point taken_at{};  ///< the last start, by a thread

    void end(const Ticket& start, Result<Started> outcome);
};

Launcher::Launcher(loop::Loop& loop, RunCgroups& cgroups)
    : cgroups_(cgroups),
      shared_(std::make_shared<Shared>()),
      timer_(loop, "exec.launcher"),
      knock_(loop, [this] { on_knock(); }) {
    shared_->knock = &knock_;
}

Launcher::~Launcher() {
    std::unique_lock lock(shared_->mutex);
    shared_->knock = nullptr;
    shared_->waiting.clear();
    shared_->wanted.notify_all();
    shared_->changed.wait(lock, [this] { return shared_->threads == shared_->busy; });
}

Launcher::Ticket Launcher::start(Order order, OnOver on_over) {
    auto start = std::make_shared<Start>();
    start->order = std::move(order);
    start->on_over = std::move(on_over);
    if (cgroups_.available()) start->make_cgroup = cgroups_.maker(start->order.limits);
    bool short_of_threads = false;
    int threads = 0;
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->waiting.push_back(start);
        threads = shared_->threads;
        short_of_threads = shared_->idle < static_cast<int>(shared_->waiting.size());
    }
    if (!short_of_threads) {
        shared_->wanted.notify_one();
    } else if (threads < usual_threads) {
        if (add_thread() || threads > 0) return start;
        {
            const std::lock_guard lock(shared_->mutex);
            std::erase(shared_->waiting, start);
        }
        const Error error = no_process(EAGAIN, start->order.name + ": no thread can be made that starts it");
        shared_->end(start, tl::unexpected(error));
    } else if (!timer_.armed()) {
        on_held();
    }
    return start;
}

bool Launcher::add_thread() {
    const SignalsBlocked inherited;
    {
        const std::lock_guard lock(shared_->mutex);
        ++shared_->threads;
    }
    try {
        std::thread([shared = shared_, at_work = std::make_unique<loop::AtWork>()]() mutable {
            live(*shared);
            at_work.reset();
            const std::lock_guard lock(shared->mutex);
            --shared->threads;
            shared->changed.notify_all();
        }).detach();
        return true;
    } catch (const std::system_error&) {
        const std::lock_guard lock(shared_->mutex);
        --shared_->threads;
        return false;
    }
}

/// While a start waits: another thread, if none of them has taken one for a while.
void Launcher::on_held() {
    bool held = false;
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->waiting.empty()) return;
        held = since(shared_->taken_at) >= held_after;
    }
    if (held) (void)add_thread();  // with a limit on threads it waits for those that there are
    timer_.once(held_after, [this] { on_held(); });
}

void Launcher::live(Shared& shared) {
    std::unique_lock lock(shared.mutex);
    while (true) {
        ++shared.idle;
        shared.wanted.wait(lock, [&] { return !shared.waiting.empty() || shared.knock == nullptr; });
        --shared.idle;
        if (shared.waiting.empty()) return;
        Ticket start = std::move(shared.waiting.front());
        shared.waiting.pop_front();
        start->stage = Start::Stage::preparing;
        shared.taken_at = BootClock::now();
        ++shared.busy;
        lock.unlock();
        work(shared, start);
        start.reset();
        lock.lock();
        --shared.busy;
    }
}

/// On a thread of the launcher's.
void Launcher::work(Shared& shared, const Ticket& start) {
    const auto launch = start->order.prepare();
    if (!launch) return shared.end(start, tl::unexpected(launch.error()));
    {
        const std::lock_guard lock(shared.mutex);
        if (start->stage == Start::Stage::over) return;
        start->stage = Start::Stage::cloning;
        shared.cloning.push_back(start);
    }
    const auto failed = [&](const Error& error) {
        shared.end(start, fail(error.kind, start->order.name + ": " + error.message));
    };
    Started started;
    if (start->make_cgroup) {
        auto cgroup = start->make_cgroup();
        if (!cgroup) return failed(cgroup.error());
        started.cgroup.emplace(std::move(*cgroup));
    }
    auto process = spawn(*launch, started.cgroup ? started.cgroup->procs_fd() : -1, &start->in_flight);
    if (!process) {
        started.cgroup.reset();
        return failed(process.error());
    }
    crash_point("handler.spawned");
    started.process = std::move(*process);
    shared.end(start, std::move(started));
}

/// From any thread. What was ended before stays as it is.
void Launcher::Shared::end(const Ticket& start, Result<Started> outcome) {
    std::unique_lock lock(mutex);
    if (start->stage == Start::Stage::over) return;
    if (start->given_up) {
        lock.unlock();
        if (outcome) clear_away(std::move(*outcome));
        lock.lock();
        std::erase(cloning, start);
        start->stage = Start::Stage::over;
        return;
    }
    start->stage = Start::Stage::over;
    start->outcome.emplace(std::move(outcome));
    over.push_back(start);
    changed.notify_all();
    if (knock != nullptr) knock->knock();
}

void Launcher::on_knock() {
    std::vector<Ticket> over;
    {
        const std::lock_guard lock(shared_->mutex);
        over.swap(shared_->over);
    }
    for (const Ticket& start : over) {
        {
            const std::lock_guard lock(shared_->mutex);
            if (start->given_up) continue;  // by one that was told before it
            std::erase(shared_->cloning, start);
        }
        const OnOver on_over = std::move(start->on_over);
        on_over(std::move(*start->outcome));
    }
}

void Launcher::signal(const Ticket& start, int number) {
    start->in_flight.called_off = true;
    std::unique_lock lock(shared_->mutex);
    if (start->stage == Start::Stage::waiting || start->stage == Start::Stage::preparing) {
        std::erase(shared_->waiting, start);
        lock.unlock();
        return shared_->end(start, called_off(start->order.name));
    }
    // Its owner is still the start.
    if (const int pidfd = start->in_flight.pidfd; pidfd >= 0)
        ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

std::optional<Started> Launcher::give_up(const Ticket& start, Millis within) {
    signal(start, SIGKILL);
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, within, [&] { return start->stage == Start::Stage::over; });
    start->given_up = true;
    start->on_over = {};
    std::erase(shared_->over, start);
    if (start->stage != Start::Stage::over) return std::nullopt;
    std::erase(shared_->cloning, start);
    if (!start->outcome || !*start->outcome) return std::nullopt;
    return std::move(**start->outcome);
}

bool Launcher::is_starting(pid_t pid) const {
    const std::lock_guard lock(shared_->mutex);
    return std::any_of(shared_->cloning.begin(), shared_->cloning.end(),
                       [pid](const Ticket& start) { return start->in_flight.pid == pid; });
}

}  // namespace dormouse::handlers
