#include "handlers/child.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/crash_point.h"
#include "handlers/proc.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t piece_bytes = 64U << 10U;
constexpr int drain_pieces = 32;  // 2 MiB: more than an unprivileged pipe holds, so only an outsider can write on
constexpr Millis longest_pause{50};
constexpr Millis longest_farewell{500};

Millis to_millis(const timeval& time) {
    return std::chrono::duration_cast<Millis>(std::chrono::seconds(time.tv_sec) +
                                              std::chrono::microseconds(time.tv_usec));
}

/// Until it has loaded its program a child shares our memory, and the kernel counts that as the child's peak.
std::optional<std::int64_t> peak_memory(const rusage& usage) {
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    if (usage.ru_maxrss <= own.ru_maxrss) return std::nullopt;
    return std::int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

std::string exit_text(std::optional<int> status) {
    if (!status) {
        return "how it ended is not known: its exit status was taken by another part of this program (SIGCHLD is "
               "ignored, or something waits for any child, as waitpid(-1) does)";
    }
    if (!WIFSIGNALED(*status)) return "exit " + std::to_string(WEXITSTATUS(*status));
    const int number = WTERMSIG(*status);
    const char* name = ::sigabbrev_np(number);
    return "killed by signal " + std::to_string(number) + (name == nullptr ? "" : std::string(" (SIG") + name + ")");
}

std::optional<int> exit_code(const ChildExit& exit) {
    return exit.status && WIFEXITED(*exit.status) ? std::optional(WEXITSTATUS(*exit.status)) : std::nullopt;
}

std::optional<int> exit_signal(const ChildExit& exit) {
    return exit.status && WIFSIGNALED(*exit.status) ? std::optional(WTERMSIG(*exit.status)) : std::nullopt;
}

Child::Child(const ChildHost& host, Order order, std::string input, std::string mark, Events events)
    : loop_(host.loop),
      launcher_(host.launcher),
      orphans_(host.orphans),
      mark_(std::move(mark)),
      input_(std::move(input)),
      events_(std::move(events)),
      start_(launcher_.start(std::move(order), [this](Result<Started> outcome) { on_over(std::move(outcome)); })) {}

Child::~Child() {
    if (state_ == State::gone) return;
    const auto last = BootClock::now() + longest_farewell;
    if (state_ == State::starting) {
        auto started = launcher_.give_up(start_, longest_farewell);
        if (!started) return;
        take(std::move(*started));
    }
    end_tree();
    // What is killed is gone in a moment, and only then can what it forked away be found. One that hangs in the kernel
    // must not hold us up, though.
    pollfd leader{process_.pidfd.get(), POLLIN, 0};
    ::poll(&leader, 1, static_cast<int>(longest_farewell.count()));
    if (!reaped_) reap();
    while (!tree_gone() && BootClock::now() < last) ::poll(nullptr, 0, 1);
    orphans_.remove(process_.pid);
}

void Child::on_over(Result<Started> outcome) {
    start_.reset();
    if (outcome) {
        take(std::move(*outcome));
        crash_point("handler.started");
        return watch();
    }
    state_ = State::gone;
    exit_.not_started = std::move(outcome.error());
    const auto on_gone = std::move(events_.on_gone);
    on_gone(ChildExit(exit_));  // may destroy us
}

void Child::take(Started started) {
    state_ = State::running;
    process_ = std::move(started.process);
    if (started.cgroup) cgroup_.emplace(std::move(*started.cgroup));
    orphans_.add(process_.pid, std::move(mark_));
}

void Child::watch() {
    exit_poll_ = std::make_unique<loop::Poll>(loop_, process_.pidfd.get(), "handler.exit");
    exit_poll_->watch(loop::Poll::readable, [this](int) {
        enter(State::ending);
        return Did::something;
    });
    output_poll_ = std::make_unique<loop::Poll>(loop_, process_.output.get(), "handler.output");
    output_poll_->watch(loop::Poll::readable,
                        [this](int) { return read_piece(process_.output, output_poll_, events_.on_output); });
    errors_poll_ = std::make_unique<loop::Poll>(loop_, process_.errors.get(), "handler.errors");
    errors_poll_->watch(loop::Poll::readable,
                        [this](int) { return read_piece(process_.errors, errors_poll_, events_.on_errors); });
    if (process_.control.valid()) {
        control_poll_ = std::make_unique<loop::Poll>(loop_, process_.control.get(), "handler.control");
        control_poll_->watch(loop::Poll::readable, [this](int events) {
            Did did = Did::nothing;
            if ((events & loop::Poll::writable) != 0 && !unsent_.empty()) did = write_control();
            if ((events & loop::Poll::readable) != 0 && read_control() == Did::something) did = Did::something;
            return did;
        });
        if (!unsent_.empty() || hung_up_) write_control();
    }
    feed();
}

loop::Poll::Did Child::feed() {
    Did did = Did::nothing;
    while (written_ < input_.size()) {
        const ssize_t taken = ::write(process_.input.get(), input_.data() + written_, input_.size() - written_);
        if (taken >= 0) {
            written_ += static_cast<std::size_t>(taken);
            did = Did::something;
        } else if (errno == EAGAIN) {
            if (input_poll_) return did;
            input_poll_ = std::make_unique<loop::Poll>(loop_, process_.input.get(), "handler.input");
            input_poll_->watch(loop::Poll::writable, [this](int) { return feed(); });
            return did;
        } else if (errno != EINTR) {
            break;  // EPIPE: it does not want to read on, which is its own business
        }
    }
    close_input();
    return Did::something;
}

void Child::close_input() {
    input_poll_.reset();
    process_.input.reset();
    input_ = {};
    written_ = 0;
}

loop::Poll::Did Child::read_piece(UniqueFd& fd, std::unique_ptr<loop::Poll>& poll,
                                  const std::function<void(std::string_view)>& take) {
    std::array<char, piece_bytes> piece;  // NOLINT: filled by read
    const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Did::nothing;
    if (got <= 0) {
        poll.reset();
        fd.reset();
    } else {
        take(std::string_view(piece.data(), static_cast<std::size_t>(got)));
    }
    return Did::something;
}

loop::Poll::Did Child::read_control() {
    // What it wrote to stdout or stderr before this message is heard before it.
    const auto take = [this](std::string_view piece) {
        std::array<pollfd, 2> printed{pollfd{process_.output.get(), POLLIN, 0},
                                      pollfd{process_.errors.get(), POLLIN, 0}};
        if (::poll(printed.data(), printed.size(), 0) > 0) {  // one call where two reads would mostly find nothing
            if (printed[0].revents != 0) read_piece(process_.output, output_poll_, events_.on_output);
            if (printed[1].revents != 0) read_piece(process_.errors, errors_poll_, events_.on_errors);
        }
        // Several messages at once get their answers at once; to a single one the answer goes without delay.
        corked_ = piece.find('\n') + 1 < piece.size();
        events_.on_control(piece);
        if (std::exchange(corked_, false) && !unsent_.empty()) write_control();
    };
    const Did did = read_piece(process_.control, control_poll_, take);
    if (!process_.control.valid()) take({});
    return did;
}

void Child::send(std::string_view text) {
    if (state_ != State::starting && !process_.control.valid()) return;
    const bool waits = !unsent_.empty();
    unsent_.append(text);
    if (!waits && !corked_) write_control();
}

bool Child::has_unread() const {
    int waiting = 0;
    return !unsent_.empty() ||
           (process_.control.valid() && ::ioctl(process_.control.get(), SIOCOUTQ, &waiting) == 0 && waiting > 0);
}

void Child::hang_up() {
    hung_up_ = true;
    if (process_.control.valid() && unsent_.empty()) ::shutdown(process_.control.get(), SHUT_WR);
}

loop::Poll::Did Child::write_control() {
    if (!process_.control.valid()) return Did::nothing;
    Did did = Did::nothing;
    while (sent_ < unsent_.size()) {
        const ssize_t taken =
            ::send(process_.control.get(), unsent_.data() + sent_, unsent_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken >= 0) {
            sent_ += static_cast<std::size_t>(taken);
            did = Did::something;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            sent_ = unsent_.size();  // it has closed its end, which reading tells as well
            did = Did::something;
        }
    }
    if (sent_ * 2 >= unsent_.size()) unsent_.erase(0, std::exchange(sent_, 0));
    control_poll_->change(unsent_.empty() ? loop::Poll::readable : loop::Poll::readable | loop::Poll::writable);
    if (unsent_.empty() && hung_up_) ::shutdown(process_.control.get(), SHUT_WR);
    return did;
}

void Child::terminate() {
    if (state_ == State::starting) return launcher_.signal(start_, SIGTERM);
    if (pid_is_its_own()) ::kill(-process_.pid, SIGTERM);
}

void Child::kill() {
    killed_ = true;
    if (state_ == State::starting) return launcher_.signal(start_, SIGKILL);
    if (state_ == State::running) end_tree();
}

void Child::end_tree() {
    if (cgroup_) return cgroup_->kill();
    if (!pid_is_its_own()) return;
    orphans_.claim_descendants(process_.pid);
    ::kill(-process_.pid, SIGKILL);
}

std::vector<Child::Member> Child::members(bool& again) {
    std::vector<Member> found;
    if (!running()) return found;
    const auto add = [&found](pid_t pid, bool lost) {
        const auto stat = stat_of(pid);
        if (stat && stat->state != 'Z') found.push_back({pid, stat->began, lost});
    };
    const std::vector<pid_t> below = descendants_of(process_.pid);
    for (const pid_t pid : below) add(pid, false);
    for (const pid_t pid : cgroup_ ? cgroup_->pids() : orphans_.lost_by(process_.pid, again)) {
        if (pid != process_.pid && std::find(below.begin(), below.end(), pid) == below.end()) add(pid, true);
    }
    return found;
}

bool Child::pid_is_its_own() const {
    siginfo_t how{};
    return !reaped_ && ::waitid(P_PIDFD, process_.pidfd.get(), &how, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Child::enter(State state) {
    state_ = state;
    if (state == State::ending) {
        crash_point("handler.exited");
        exit_poll_.reset();
        if (!reaped_) {
            if (!cgroup_) end_tree();  // of a cgroup the kernel tells whether anybody is left to be killed
            reap();
        }
        if (reaped_ && tree_gone()) return enter(State::gone);
        if (!retry_) retry_ = std::make_unique<loop::Timer>(loop_, "exec.ending");
        retry_->once(pause_, [this] { enter(State::ending); });
        pause_ = std::min(pause_ * 2, longest_pause);
        return;
    }
    drain();
    orphans_.remove(process_.pid);
    if (cgroup_) {
        exit_.cpu = cgroup_->cpu().value_or(exit_.cpu);
        if (const auto peak = cgroup_->peak_memory()) exit_.peak_memory_bytes = peak;
        exit_.out_of_memory = cgroup_->out_of_memory();
    }
    cgroup_.reset();
    const auto on_gone = std::move(events_.on_gone);
    on_gone(ChildExit(exit_));  // may destroy us
}

void Child::reap() {
    rusage usage{};
    siginfo_t how{};
    // The C library's waitid() does not give the usage.
    const long got = ::syscall(SYS_waitid, P_PIDFD, process_.pidfd.get(), &how, WEXITED | WNOHANG, &usage);
    if ((got == 0 && how.si_pid == 0) || (got < 0 && errno == EINTR)) return;
    reaped_ = true;
    crash_point("handler.reaped");
    if (got < 0) return;  // ECHILD: another part of this program was faster
    exit_.status = how.si_code == CLD_EXITED ? W_EXITCODE(how.si_status, 0) : W_EXITCODE(0, how.si_status);
    exit_.cpu = to_millis(usage.ru_utime) + to_millis(usage.ru_stime);
    exit_.peak_memory_bytes = peak_memory(usage);
}

bool Child::tree_gone() {
    if (cgroup_) {
        if (!cgroup_->populated()) return orphans_.sweep(process_.pid) == 0;
        cgroup_->kill();  // again: nothing may hide behind a moment in which the first did not reach it
        return false;
    }
    return orphans_.sweep(process_.pid) == 0;
}

void Child::drain() {
    close_input();
    for (int i = 0; i < drain_pieces && process_.output.valid(); ++i) {
        if (read_piece(process_.output, output_poll_, events_.on_output) == Did::nothing) break;
    }
    for (int i = 0; i < drain_pieces && process_.errors.valid(); ++i) {
        if (read_piece(process_.errors, errors_poll_, events_.on_errors) == Did::nothing) break;
    }
    for (int i = 0; i < drain_pieces && process_.control.valid(); ++i) {
        if (read_piece(process_.control, control_poll_, events_.on_control) == Did::nothing) break;
    }
    output_poll_.reset();
    errors_poll_.reset();
    control_poll_.reset();
    process_.output.reset();
    process_.errors.reset();
    process_.control.reset();
}

}  // namespace dormouse::handlers
