#include "handlers/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>

#include "base/limits.h"
#include "base/open_files.h"
#include "handlers/no_network.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t stack_bytes = 64U << 10U;

/// What is written at one end is read at the other; of a socket each end does both.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

/// A descriptor below 3 would be in the way of dup2 in the child; we have one when somebody closed our own
/// stdio.
Status lift(UniqueFd& fd) {
    if (fd.get() > STDERR_FILENO) return {};
    UniqueFd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!higher.valid()) return tl::unexpected(from_errno(errno, "pipe"));
    fd = std::move(higher);
    return {};
}

Result<Pipe> make_pipe(Control kind = Control::pipe) {
    int ends[2] = {-1, -1};
    if (kind == Control::none) return Pipe{};
    const int problem =
        kind == Control::pipe ? ::pipe2(ends, O_CLOEXEC) : ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    if (problem != 0) return tl::unexpected(from_errno(errno, kind == Control::pipe ? "pipe" : "socketpair"));
    Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    for (UniqueFd* end : {&pipe.read, &pipe.write}) {
        if (auto lifted = lift(*end); !lifted) return tl::unexpected(lifted.error());
    }
    return pipe;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));  // NOLINT: execve's old type
    list.push_back(nullptr);
    return list;
}

/// What the child needs, and what it says when it fails. It lives in the memory of both.
struct Plan {
    const char* file;
    char* const* arguments;
    char* const* environment;
    const char* directory;
    pid_t parent;
    int cgroup;
    int input;
    int output;
    int errors;
    int control;
    int umask;  ///< -1: ours
    bool network;
    const rlimit* open_files;  ///< as we were started with; null: as ours
    InFlight* in_flight;       ///< null: nobody watches
    int pidfd = -1;            ///< of the child; there before it runs
    const char* failed_step = nullptr;
    int error_number = 0;
};

int fail_step(Plan& plan, const char* step) {
    plan.error_number = errno;
    plan.failed_step = step;
    return 127;
}

/// Runs in the child, in our memory, while our thread waits: only async-signal-safe calls, and it never
/// leaves by exit().
__attribute__((no_sanitize("address", "undefined", "thread"))) int run_child(void* argument) {
    Plan& plan = *static_cast<Plan*>(argument);
    if (plan.in_flight != nullptr) {
        plan.in_flight->pidfd = plan.pidfd;
        plan.in_flight->pid = ::getpid();
        // Whoever has called it off before that did not find the pidfd; whoever does it from here on will.
        if (plan.in_flight->called_off) {
            errno = ECANCELED;
            return fail_step(plan, "start: it was called off");
        }
    }
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
    if (plan.cgroup >= 0 && ::write(plan.cgroup, "0", 1) != 1) return fail_step(plan, "enter cgroup");
    if (::setsid() < 0) return fail_step(plan, "setsid");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != plan.parent) return 127;  // it died before we asked to die with it
    if (::dup2(plan.input, STDIN_FILENO) < 0 || ::dup2(plan.output, STDOUT_FILENO) < 0 ||
        ::dup2(plan.errors, STDERR_FILENO) < 0) {
        return fail_step(plan, "dup2");
    }
    int first_unwanted = STDERR_FILENO + 1;
    if (plan.control >= 0) {
        if (plan.control != control_fd && ::dup2(plan.control, control_fd) < 0) return fail_step(plan, "dup2");
        ::fcntl(control_fd, F_SETFD, 0);
        first_unwanted = control_fd + 1;
    }
    if (plan.open_files != nullptr) ::setrlimit(RLIMIT_NOFILE, plan.open_files);
    ::close_range(first_unwanted, ~0U, 0);  // ours are close-on-exec anyway; a library's may not be
    // From here on it may hang, and holds no end of anybody else's pipes.
    if (plan.umask >= 0) ::umask(static_cast<mode_t>(plan.umask));
    if (plan.directory != nullptr && ::chdir(plan.directory) != 0) return fail_step(plan, "change to");
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (!plan.network && !leave_network()) return fail_step(plan, "keep it from the network (sandbox.network = false)");
    ::execve(plan.file, plan.arguments, plan.environment);
    return fail_step(plan, "execute");
}

/// Why it did not start, in one line that names the thing.
Error explain(const Plan& plan) {
    const std::string step = plan.failed_step;
    std::string what = "cannot " + step;
    if (step == "change to") what += std::string(" ") + plan.directory;
    if (step == "execute") what += std::string(" ") + plan.file;
    Error error = from_errno(plan.error_number, what);
    if (step == "execute" && plan.error_number == ENOEXEC) error.message += " (a script needs a #! line)";
    if (step == "execute" && plan.error_number == ENOENT)
        error.message += " (the file, or the program its #! line names)";
    if (step == "execute" && plan.error_number == E2BIG)
        error.message += " (shorten the command, or the environment file)";
    return error;
}

Result<pid_t> clone_child(Plan& plan) {
    const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);  // NOLINT: clone wants plain memory
    // No handler of ours may run in the child, where it would work on our memory.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    const auto top = reinterpret_cast<std::uintptr_t>(stack.get() + stack_bytes) & ~std::uintptr_t{15};  // NOLINT
    const pid_t pid = ::clone(run_child, reinterpret_cast<void*>(top), flags, &plan, &plan.pidfd);       // NOLINT
    const int problem = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return tl::unexpected(no_process(problem, "cannot make a process"));
    return pid;
}

}  // namespace

Result<Spawned> spawn(const Launch& launch, int cgroup_procs_fd, InFlight* in_flight) {
    auto input = make_pipe();
    auto output = make_pipe();
    auto errors = make_pipe();
    auto control = make_pipe(launch.control);
    for (const auto* pipe : {&input, &output, &errors, &control}) {
        if (!*pipe) return tl::unexpected(pipe->error());
    }
    Spawned child;
    child.input = std::move(input->write);
    child.output = std::move(output->read);
    child.errors = std::move(errors->read);
    child.control = std::move(control->read);
    for (const int fd : {child.input.get(), child.output.get(), child.errors.get(), child.control.get()})
        if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    const auto arguments = pointers(launch.arguments);
    const auto environment = pointers(launch.environment);
    const auto& open_files = open_files_before();
    Plan plan{launch.file.c_str(),
              arguments.data(),
              environment.data(),
              launch.directory.empty() ? nullptr : launch.directory.c_str(),
              ::getpid(),
              cgroup_procs_fd,
              input->read.get(),
              output->write.get(),
              errors->write.get(),
              control->write.get(),
              launch.umask,
              launch.network,
              open_files ? &*open_files : nullptr,
              in_flight};
    const auto pid = clone_child(plan);
    if (!pid) return tl::unexpected(pid.error());
    child.pid = *pid;
    child.pidfd.reset(plan.pidfd);
    if (plan.failed_step != nullptr) {
        while (::waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        if (in_flight != nullptr) in_flight->failed = std::move(child.pidfd);  // somebody may be about to use it
        return tl::unexpected(explain(plan));
    }
    return child;
}

}  // namespace dormouse::handlers
