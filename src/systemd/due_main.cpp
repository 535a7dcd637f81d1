// dormouse-due POOL: carries a pool's due time over the worker's end. systemd runs it as root after every end
// of the worker (ExecStopPost=+ of dormouse@.service); it takes the due file, arms a transient timer that
// starts the pool again, and prints one line of what it did. It trusts nothing the worker can write, gives
// every program it starts five seconds, and fails only when it could not arm, so that Restart= brings the
// worker back instead.
//
// It arms through systemd-run and not through sd-bus: that is the documented interface, its transient pair is
// one call, and it works where no bus runs (it talks to the manager's private socket).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "base/crash_point.h"
#include "base/standard_files.h"
#include "base/unique_fd.h"
#include "systemd/due_file.h"
#include "systemd/due_options.h"
#include "systemd/due_tool.h"

namespace dormouse::systemd {
namespace {

constexpr const char* systemctl = "/usr/bin/systemctl";
constexpr const char* systemd_run = "/usr/bin/systemd-run";
constexpr Millis tool_deadline{5'000};

std::string environment_value(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// Why the worker's word does not count, or nothing after a clean exit. A file beside a killed worker is a
/// stale one. Source: systemd.exec(5), $SERVICE_RESULT.
std::optional<std::string> unclean_end() {
    const std::string result = environment_value("SERVICE_RESULT");
    if (result.empty()) return "SERVICE_RESULT is not set";
    const std::string code = environment_value("EXIT_CODE");
    const std::string status = environment_value("EXIT_STATUS");
    if (result == "success" && code == "exited" && status == "0") return std::nullopt;
    std::string why = "the worker ended with " + result;
    if (!code.empty()) why += " (" + code + " " + status + ")";
    return why;
}

std::string in_seconds(Millis time) {
    std::string text = std::to_string(time.count() / 1000);
    const auto rest = std::to_string(time.count() % 1000 + 1000).substr(1);
    return text + "." + rest + " s";
}

/// `delay` from now as OnCalendar= takes it, in UTC and to the microsecond.
std::string calendar_time(Millis delay) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto at = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + delay;
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at).count();
    const auto micros = std::chrono::floor<std::chrono::microseconds>(at).count() % 1'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
    return std::string(date) + "." + std::to_string(micros + 1'000'000).substr(1) + " UTC";
}

class Helper {
  public:
    Helper(DueOptions options, UniqueFd directory) : options_(std::move(options)), directory_(std::move(directory)) {}

    /// The exit code.
    int run() {
        const Due due = take();
        tell_people();
        const auto active = target_active();
        if (!active) return could_not(active.error().message);
        if (!*active) return target_is_down();
        if (const auto* in = std::get_if<DueIn>(&due)) {
            remove("failures");
            return arm(in->delay, "due in " + in_seconds(in->delay));
        }
        if (const auto* unknown = std::get_if<DueUnknown>(&due)) {
            const std::uint64_t failures = read_number(directory_.get(), state("failures")).value_or(0) + 1;
            write("failures", failures);
            crash_point("due_helper.counted");
            const Millis delay = unknown_delay(failures);
            return arm(delay, "due time unknown, end " + std::to_string(failures) + " in a row (" + unknown->reason +
                                  "): look in " + in_seconds(delay));
        }
        forget();
        say("nothing is due: no timer");
        return 0;
    }

  private:
    /// Takes the due file away in any case; believes it after a clean exit only.
    Due take() {
        const UniqueFd pool(
            ::openat(directory_.get(), options_.pool.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        Due due = pool.valid() ? take_due(pool.get()) : DueUnknown{"there is no runtime directory of the pool"};
        if (auto why = unclean_end()) return DueUnknown{*why};
        return due;
    }

    /// What may need a person is dormouse-alert's to tell, in a unit of its own, which nobody waits for: that the
    /// worker has died, for which it finds POOL.ended, and what the worker could not tell. No such unit: nobody is
    /// told.
    void tell_people() {
        const auto why = unclean_end();
        if (why) {
            const std::uint64_t failures = read_number(directory_.get(), state("failures")).value_or(0) + 1;
            const std::string text = *why + (failures > 1 ? ", " + std::to_string(failures) + " times in a row" : "");
            ::unlinkat(directory_.get(), state("ended").c_str(), 0);
            const UniqueFd file(::openat(directory_.get(), state("ended").c_str(),
                                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
            if (!file.valid() || ::write(file.get(), text.data(), text.size()) < 0) return;
        } else if (::access((environment_value("STATE_DIRECTORY") + "/alerts.unsent").c_str(), F_OK) != 0) {
            return;
        }
        static_cast<void>(
            run_tool(tool(systemctl, {"--no-block", "start", "dormouse-alert@" + options_.pool + ".service"}),
                     environment(), tool_deadline, ToolErrors::hidden));
    }

    Result<bool> target_active() {
        if (options_.target.empty()) return true;
        const auto code = run_tool(tool(systemctl, {"is-active", "--quiet", options_.target}), environment(),
                                   tool_deadline, ToolErrors::shown);
        if (!code) return tl::unexpected(code.error());
        if (*code == 0) return true;
        if (*code == 3 || *code == 4) return false;  // not active, no such unit
        return fail(ErrorKind::transient, "systemctl is-active ended with " + std::to_string(*code));
    }

    int arm(Millis delay, const std::string& what) {
        // The boot clock as the number: unique as long as a timer can live, with no counter that could be
        // lost.
        timespec now{};
        ::clock_gettime(CLOCK_BOOTTIME, &now);
        const auto number =
            static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
        const std::string name = unit_name(number);
        const auto code = run_tool(timer_command(name, delay), environment(), tool_deadline, ToolErrors::shown);
        if (code && *code == 0) {
            crash_point("due_helper.armed");
            const auto older = read_number(directory_.get(), state("timer"));
            write("timer", number);
            crash_point("due_helper.recorded");
            if (older) stop_timer(*older);  // only now: at no moment is there none
            crash_point("due_helper.replaced");
        }
        // Asked again: PartOf= does not reach a timer that was armed just after the target went down, and a
        // target that goes down right now cancels the start of the timer.
        if (const auto active = target_active(); active && !*active) return target_is_down();
        if (!code) return could_not(what + ", but " + code.error().message);
        if (*code != 0) return could_not(what + ", but systemd-run ended with " + std::to_string(*code));
        say(what + ", armed " + name + ".timer");
        return 0;
    }

    std::vector<std::string> timer_command(const std::string& name, Millis delay) const {
        std::vector<std::string> arguments{
            "--no-block", "--quiet", "--collect", "--unit=" + name,
            "--description=Pool " + options_.pool + " of dormouse has something due",
            "--on-active=" + std::to_string(delay.count()) + "ms", "--timer-property=AccuracySec=100ms",
            // Or a timer with a calendar time would wait for the clock to be synchronised, and we for the
            // timer.
            "--timer-property=DefaultDependencies=no", "--service-type=oneshot",
            // A start that could not even be queued is tried again: nobody else remembers this due time.
            "--property=Restart=on-failure", "--property=RestartSec=10s", "--property=StartLimitIntervalSec=0"};
        // OnActiveSec= stands still while the host is suspended, so both clocks; but a calendar time that has passed
        // before systemd-run reads it is complained about, and never fires.
        if (delay > tool_deadline) arguments.push_back("--on-calendar=" + calendar_time(delay));
        if (!options_.target.empty()) {
            arguments.push_back("--timer-property=PartOf=" + options_.target);
            // A timer that fires while the target goes down must not bring the pool back: the manager itself
            // asks again. Not on the timer: systemd-run waits for its start even with --no-block, which would
            // wait for our own end.
            for (const char* kind : {"PartOf=", "Requisite=", "After="}) {
                arguments.push_back("--property=" + (kind + options_.target));
            }
        }
        auto command = tool(systemd_run, arguments);
        const auto start = tool(systemctl, {"--no-block", "start", options_.unit});
        command.emplace_back("--");
        command.insert(command.end(), start.begin(), start.end());
        return command;
    }

    int target_is_down() {
        forget();
        say(options_.target + " is not active: nothing armed");
        return 0;
    }

    /// Takes back what was armed and all that is remembered.
    void forget() {
        if (const auto older = read_number(directory_.get(), state("timer"))) stop_timer(*older);
        crash_point("due_helper.stopped");
        remove("timer");
        remove("failures");
    }

    /// --no-block, because the manager may be waiting for us. An older timer that has fired is gone: no
    /// complaint.
    void stop_timer(std::uint64_t number) {
        const auto code = run_tool(tool(systemctl, {"--no-block", "stop", unit_name(number) + ".timer"}), environment(),
                                   tool_deadline, ToolErrors::hidden);
        if (!code) say(code.error().message);
    }

    std::vector<std::string> tool(const char* path, const std::vector<std::string>& arguments) const {
        std::vector<std::string> command{path};
        if (options_.user) command.emplace_back("--user");
        command.insert(command.end(), arguments.begin(), arguments.end());
        return command;
    }

    std::vector<std::string> environment() const {
        std::vector<std::string> fixed{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER="};
        if (options_.user) fixed.push_back("XDG_RUNTIME_DIR=" + environment_value("XDG_RUNTIME_DIR"));
        return fixed;
    }

    std::string unit_name(std::uint64_t number) const {
        return "dormouse-due-" + options_.pool + "-" + std::to_string(number);
    }
    std::string state(const char* what) const { return options_.pool + "." + what; }
    void remove(const char* what) { ::unlinkat(directory_.get(), state(what).c_str(), 0); }
    void write(const char* what, std::uint64_t number) {
        if (const auto done = write_number(directory_.get(), state(what), number); !done) say(done.error().message);
    }
    void say(const std::string& line) const { std::printf("%s: %s\n", options_.pool.c_str(), line.c_str()); }
    int could_not(const std::string& why) const {
        std::fprintf(stderr, "%s: no timer: %s\n", options_.pool.c_str(), why.c_str());
        return 1;
    }

    DueOptions options_;
    UniqueFd directory_;
};

}  // namespace
}  // namespace dormouse::systemd

int main(int argc, char** argv) {
    using namespace dormouse::systemd;
    dormouse::open_standard_files();
    auto options = parse_due_options(std::vector<std::string>(argv + 1, argv + argc));
    if (!options) {
        std::fputs(due_usage, stderr);
        return 2;
    }
    ::umask(022);
    dormouse::UniqueFd directory(::open(options->runtime_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        std::fprintf(stderr, "%s: no timer: cannot open %s\n", options->pool.c_str(),
                     options->runtime_directory.c_str());
        return 1;
    }
    return Helper(std::move(*options), std::move(directory)).run();
}
