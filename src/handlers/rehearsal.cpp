#include "handlers/rehearsal.h"

#include <algorithm>
#include <utility>

#include "config/duration.h"

namespace dormouse::handlers {

Rehearsal::Rehearsal(const ChildHost& host, const config::Limits& limits)
    : host_(host), limits_(limits), timer_(host.loop, "rehearsal.time"), end_timer_(host.loop, "rehearsal.end") {}

void Rehearsal::add(const config::Task& task, std::string problem) {
    Rehearsed& rehearsed = tasks_[task.name];
    rehearsed.problem = std::move(problem);
    if (!rehearsed.problem.empty()) return;
    if (task.handler != config::HandlerKind::warm) {
        rehearsed.text = task.command.empty() ? "a function" : task.command.front();
        return;
    }
    const auto found =
        std::find_if(trials_.begin(), trials_.end(), [&task](const Trial& one) { return share(one.task, task); });
    Trial& trial = found != trials_.end() ? *found : trials_.emplace_back(Trial{task, {}, nullptr});
    trial.names.push_back(task.name);
}

void Rehearsal::begin(Millis within, Done done) {
    within_ = within;
    done_ = std::move(done);
    timer_.once(within, [this] { on_time(); });
    for (Trial& trial : trials_) start(trial);
    if (std::none_of(trials_.begin(), trials_.end(), [](const Trial& one) { return one.process != nullptr; })) finish();
}

void Rehearsal::start(Trial& trial) {
    WarmProcess::Events events{
        [this, &trial](const WarmProcess& process) { on_hello(trial, process); },
        [](const Landing& /*landing*/) {},  // it has no run
        [this, &trial](const WarmProcess& /*process*/, const WarmProcess::Farewell& farewell) {
            on_gone(trial, farewell);
        },
    };
    trial.process = std::make_unique<WarmProcess>(host_, trial.task, limits_, "", std::move(events));
}

void Rehearsal::on_hello(Trial& trial, const WarmProcess& process) {
    trial.said_hello = true;
    for (const std::string& name : trial.names) {
        if (process.serves(name)) {
            tasks_[name].text = trial.task.command.front() + " has said hello";
        } else {
            tasks_[name].problem = process.why_not(name);
        }
    }
    trial.process->retire();
}

void Rehearsal::on_gone(Trial& trial, const WarmProcess::Farewell& farewell) {
    if (!farewell.served) fail_all(trial, trial.process->ended_early(farewell));
    trial.process.reset();
    if (std::none_of(trials_.begin(), trials_.end(), [](const Trial& one) { return one.process != nullptr; })) finish();
}

void Rehearsal::fail_all(const Trial& trial, const std::string& problem) {
    const std::string of_first = "task " + trial.task.name + ": ";
    const std::string_view rest = std::string_view(problem).substr(problem.starts_with(of_first) ? of_first.size() : 0);
    for (const std::string& name : trial.names) tasks_[name].problem = "task " + name + ": " + std::string(rest);
}

void Rehearsal::on_time() {
    for (Trial& trial : trials_) {
        if (!trial.process) continue;
        trial.process.reset();
        if (trial.said_hello) continue;  // it only takes its time to leave
        for (const std::string& name : trial.names) {
            tasks_[name].unfinished = true;
            tasks_[name].text = trial.task.command.front() + " has not said hello within " +
                                config::duration_text(within_) + "; start_timeout allows it " +
                                config::duration_text(trial.task.start_timeout);
        }
    }
    finish();
}

void Rehearsal::finish() {
    timer_.stop();
    end_timer_.once(Millis{0}, [this] {
        const auto done = std::move(done_);
        const auto tasks = std::move(tasks_);
        done(tasks);  // may destroy us
    });
}

}  // namespace dormouse::handlers
