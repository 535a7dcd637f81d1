#include "embed/host.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <system_error>

#include "base/deadline.h"
#include "base/signals_blocked.h"
#include "base/standard_files.h"
#include "config/load.h"
#include "handlers/registry.h"
#include "loop/async.h"
#include "loop/loop.h"
#include "worker/pool.h"

namespace dormouse::embed {
namespace {

config::Sources sources_of(const Settings& settings) {
    config::Sources sources;
    sources.pool = settings.pool;
    sources.file = settings.file;
    sources.sets = settings.overrides;
    sources.is_program = true;
    sources.tasks_required = true;
    sources.environment = config::of_process();
    return sources;
}

/// Processes need what the program has given up; the pool takes it back, and the program should know.
void tell_of_ignored_children(config::Sources sources, const handlers::Functions& functions) {
    if (handlers::exit_statuses_are_kept()) return;
    for (const auto& [task, function] : functions) sources.functions.push_back(task);
    const auto loaded = config::load(sources);
    if (!loaded || !handlers::have_processes(loaded->config.tasks)) return;
    log::event(log::Level::warning, "configuration",
               "SIGCHLD was ignored in this program, which throws away how handlers end; it is set to its default, "
               "because pool " +
                   sources.pool + " has tasks with a command; do not ignore it again while the worker is there",
               {{"pool", sources.pool}});
}

}  // namespace

Host::~Host() {
    constexpr Times at_once{Millis{0}, Millis{1'000}, Millis{5'000}};
    ask(at_once);
    const std::lock_guard joining(join_mutex_);
    if (thread_.joinable()) thread_.join();
}

int Host::run(const handlers::Functions& functions) {
    open_standard_files();
    const log::OfThisThread sinks(settings_.least, settings_.take);
    tell_of_ignored_children(sources_of(settings_), functions);
    loop::Loop loop;
    worker::Pool pool(loop, sources_of(settings_), {}, worker::Program{functions, false});
    pool.start();
    loop.run();
    if (const std::size_t left = pool.functions_at_work(); left > 0) {
        log::event(log::Level::warning, "functions_left_behind",
                   std::to_string(left) + " functions have not returned; the process ends without them");
        std::fflush(nullptr);
        ::_exit(pool.exit_code());
    }
    return pool.exit_code();
}

std::string Host::start(handlers::Functions functions) {
    open_standard_files();
    config::Sources sources = sources_of(settings_);
    for (const auto& [task, function] : functions) sources.functions.push_back(task);
    if (const auto loaded = config::load(sources); !loaded) return loaded.error().message;
    const std::lock_guard joining(join_mutex_);
    {
        const std::lock_guard lock(mutex_);
        if (!ended_) return "this worker is already running; stop() it before you start() it again";
    }
    if (thread_.joinable()) thread_.join();
    {
        const std::lock_guard lock(mutex_);
        ended_ = false;
        times_.reset();
    }
    const SignalsBlocked inherited;  // signals are for the program's own threads
    try {
        thread_ = std::thread([this, functions = std::move(functions)] { live(functions); });
    } catch (const std::system_error& error) {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        return std::string("no thread can be started for the worker: ") + error.code().message() +
               "; is there a limit on processes or memory (ulimit -u, TasksMax=)?";
    }
    return {};
}

bool Host::stop(Millis timeout) {
    ask({timeout / 2, timeout / 4, timeout / 8});
    {
        std::unique_lock lock(mutex_);
        if (!ended_changed_.wait_for(lock, bounded(timeout), [this] { return ended_; })) return false;
    }
    const std::lock_guard joining(join_mutex_);
    if (thread_.joinable()) thread_.join();
    return true;
}

void Host::ask(const Times& times) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    times_ = times;
    if (knock_ != nullptr) knock_->knock();
}

/// The guest's thread.
void Host::live(const handlers::Functions& functions) {
    {
        const log::OfThisThread sinks(settings_.least, settings_.take);
        tell_of_ignored_children(sources_of(settings_), functions);
        loop::Loop loop;
        worker::Pool pool(loop, sources_of(settings_), {}, worker::Program{functions, true});
        loop::Async knock(loop, [this, &pool] {
            std::unique_lock lock(mutex_);
            const Times times = *times_;
            lock.unlock();
            pool.leave_within({times.grace, times.patience, times.last_writes});
        });
        pool.start();
        {
            const std::lock_guard lock(mutex_);
            knock_ = &knock;
            if (times_) knock.knock();  // asked before we were here
        }
        loop.run();
        const std::lock_guard lock(mutex_);
        knock_ = nullptr;
    }  // waits for functions that were given up
    const std::lock_guard lock(mutex_);
    ended_ = true;
    ended_changed_.notify_all();
}

}  // namespace dormouse::embed
