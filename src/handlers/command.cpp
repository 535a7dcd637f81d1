#include "handlers/command.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <system_error>

#include "base/deadline.h"
#include "config/variables.h"
#include "handlers/environment_file.h"

namespace dormouse::handlers {

namespace {

constexpr const char* default_path = "/usr/local/bin:/usr/bin:/bin";

std::string named(const config::Task& task) {
    return "task " + task.name + ": ";
}

const std::string* find(const Variables& variables, const std::string& name) {
    for (const auto& [key, value] : variables) {
        if (key == name) return &value;
    }
    return nullptr;
}

void set(Variables& variables, const std::string& name, std::string value) {
    for (auto& [key, old] : variables) {
        if (key == name) {
            old = std::move(value);
            return;
        }
    }
    variables.emplace_back(name, std::move(value));
}

/// In a unit systemd's, which is HOME there; elsewhere the first of these that is a directory.
std::string state_directory() {
    for (const char* name : {"STATE_DIRECTORY", "HOME", "TMPDIR"}) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
        if (value == nullptr) continue;
        const std::string_view all(value);
        std::string first(all.substr(0, all.find(':')));
        struct stat about{};
        if (first.starts_with('/') && ::stat(first.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) return first;
    }
    return "/tmp";
}

Result<Variables> base_environment(const config::Task& task) {
    Variables variables;
    for (const char* name : config::inherited_variables) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
        if (value != nullptr) variables.emplace_back(name, value);
    }
    variables.emplace_back("DORMOUSE_STATE_DIRECTORY", state_directory());
    for (const auto& [name, value] : task.variables) set(variables, name, value);
    if (find(variables, "PATH") == nullptr) variables.emplace_back("PATH", default_path);
    if (task.environment_file.empty()) return variables;
    auto file = read_environment_file(task.environment_file);
    if (!file) return fail(file.error().kind, named(task) + file.error().message);
    for (auto& [name, value] : *file) set(variables, name, std::move(value));
    return variables;
}

/// 0, or the errno that says why this file cannot be executed.
int why_not_executable(const std::string& path) {
    struct stat about{};
    if (::stat(path.c_str(), &about) != 0) return errno;
    if (S_ISDIR(about.st_mode)) return EISDIR;
    return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/// Where a path lies in what dormouse@.service closes, whatever the modes there: what opens it.
std::string sandbox_note(const std::string& path) {
    for (const char* const closed : {"/home/", "/root/", "/run/user/"})
        if (path.starts_with(closed))
            return "; " + std::string(closed) +
                   R"( is closed to dormouse@.service, too, unless sandbox = { home = "read-only" } in its task and )"
                   "`dormouse sandbox POOL --install` have opened it (ProtectHome=read-only)";
    return "";
}

/// The first directory above a path in which this user may not look anything up, with what opens it.
std::string closed_directory(const std::string& path) {
    for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
        const std::string directory = path.substr(0, end);
        struct stat about{};
        if (::faccessat(AT_FDCWD, directory.c_str(), X_OK, AT_EACCESS) == 0 || errno != EACCES) continue;
        const bool known = ::stat(directory.c_str(), &about) == 0 && (about.st_mode & 0777U) != 0;  // else the sandbox
        const passwd* const user = ::getpwuid(::geteuid());
        if (!known || user == nullptr) return directory + " is closed to this user";
        return directory + " is closed to user " + user->pw_name + " (setfacl -m u:" + user->pw_name + ":x " +
               directory + ", or chmod o+x)";
    }
    return "a directory above it is closed to this user";
}

/// What a crontab or a shell takes for a program's name, and nobody does here: what to write instead.
std::string shell_note(const std::string& name) {
    if (name.starts_with('~')) return "; no shell expands ~ here, write the directory";
    const auto equals = name.find('=');
    if (equals != std::string::npos && name.find_first_of("/ ") > equals)
        return "; variables are environment = { " + name.substr(0, equals) + " = … } of the task";
    if (name.find_first_of(" |&;<>$") == std::string::npos) return "";
    return R"(; command is not a shell command line: use ["/bin/sh", "-c", "the line"])";
}

tl::unexpected<Error> cannot_execute(const config::Task& task, const std::string& path, int problem) {
    std::string message = named(task) + "command " + path;
    struct stat about{};
    if (problem == EACCES && ::stat(path.c_str(), &about) != 0)
        message += " cannot be reached, " + closed_directory(path) + sandbox_note(path);
    else if (problem == EACCES)
        message += " is not executable (chmod +x it, or name its interpreter first in command)";
    if (problem == ENOENT) message += " does not exist" + shell_note(task.command.front());
    if (problem == EACCES || problem == ENOENT) return fail(from_errno(problem, path).kind, std::move(message));
    return tl::unexpected(from_errno(problem, message));
}

/// Looks the program up as execvp would, in the handler's own PATH, leaving out entries that are not
/// absolute.
Result<std::string> find_program(const config::Task& task, const Variables& environment) {
    if (task.command.empty() || task.command.front().empty()) {
        return fail(ErrorKind::invalid, named(task) + "command is empty");
    }
    const std::string& name = task.command.front();
    if (name.find('/') != std::string::npos) {
        const bool relative = name.front() != '/' && !task.working_directory.empty();
        const std::string path = relative ? task.working_directory + "/" + name : name;
        const int problem = why_not_executable(path);
        if (problem != 0) return cannot_execute(task, path, problem);
        return name;
    }
    const std::string* path = find(environment, "PATH");
    std::string_view rest = path == nullptr ? std::string_view() : *path;
    std::string unusable;
    while (!rest.empty()) {
        const auto entry = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
        if (!entry.starts_with('/')) continue;
        auto candidate = std::string(entry) + "/" + name;
        const int problem = why_not_executable(candidate);
        if (problem == 0) return candidate;
        if (problem == EACCES && unusable.empty()) unusable = candidate;
    }
    if (!unusable.empty()) return cannot_execute(task, unusable, EACCES);
    return fail(ErrorKind::invalid, named(task) + "command " + name + " is not in PATH (" +
                                        (path == nullptr ? std::string() : *path) + "); give its full path" +
                                        shell_note(name));
}

Status check_directory(const config::Task& task) {
    if (task.working_directory.empty()) return {};
    const std::string what = named(task) + "working_directory " + task.working_directory;
    struct stat about{};
    if (::stat(task.working_directory.c_str(), &about) != 0) {
        const int problem = errno;
        return tl::unexpected(
            from_errno(problem, problem == EACCES ? what + sandbox_note(task.working_directory) : what));
    }
    if (!S_ISDIR(about.st_mode)) return fail(ErrorKind::invalid, what + " is not a directory");
    if (::faccessat(AT_FDCWD, task.working_directory.c_str(), X_OK, AT_EACCESS) != 0) {
        return tl::unexpected(from_errno(errno, what + sandbox_note(task.working_directory)));
    }
    return {};
}

/// What the kernel would say of the file only once it is executed: the interpreter of its #! line is not there, or
/// there is no such line. 0, or an errno. Source: execve(2), "Interpreter scripts".
struct Unusable {
    int problem = 0;
    std::string interpreter;  ///< empty: it is about the file itself
};
Unusable why_not_loadable(const std::string& path, const std::string& directory, int depth = 0) {
    constexpr int most_interpreters = 5;
    const std::string whole = path.front() == '/' || directory.empty() ? path : directory + "/" + path;
    std::ifstream file(whole, std::ios::binary);
    std::array<char, 256> begin{};  // as much as the kernel reads
    file.read(begin.data(), begin.size());
    std::string_view head(begin.data(), static_cast<std::size_t>(file.gcount()));
    if (!file.is_open()) return {};  // may be executed without being read
    if (!head.starts_with("#!")) {
        const bool is_text = std::all_of(head.begin(), head.end(), [](unsigned char c) {
            return c >= 0x80 || c == '\n' || c == '\r' || c == '\t' || (c >= 0x20 && c < 0x7F);
        });
        return is_text ? Unusable{ENOEXEC, {}} : Unusable{};
    }
    head = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(head.find_first_not_of(" \t", 2), head.size()));
    std::string interpreter(head.substr(0, head.find_first_of(" \t")));
    if (interpreter.empty()) return {ENOEXEC, {}};
    if (depth == most_interpreters) return {ELOOP, std::move(interpreter)};
    const bool relative = interpreter.front() != '/' && !directory.empty();
    if (const int problem = why_not_executable(relative ? directory + "/" + interpreter : interpreter); problem != 0)
        return {problem, std::move(interpreter)};
    return why_not_loadable(interpreter, directory, depth + 1);
}

Status check_loadable(const config::Task& task, const std::string& path) {
    const auto [problem, interpreter] = why_not_loadable(path, task.working_directory);
    if (problem == 0) return {};
    const std::string command = named(task) + "command " + path;
    if (interpreter.empty()) return fail(ErrorKind::invalid, command + " is not a program; a script needs a #! line");
    return fail(ErrorKind::invalid,
                command + " has the interpreter \"" + interpreter +
                    "\" in its #! line: " + std::generic_category().message(problem) +
                    (interpreter.ends_with('\r') ? " (the file has the line ends of Windows)" : ""));
}

void add_run(Variables& variables, const RunSpec& run, std::chrono::system_clock::time_point begun) {
    set(variables, "DORMOUSE_RUN_ID", run.id.to_string());
    set(variables, "DORMOUSE_TASK", run.task);
    set(variables, "DORMOUSE_QUEUE", run.queue);
    set(variables, "DORMOUSE_ATTEMPT", std::to_string(run.attempt));
    set(variables, "DORMOUSE_MAX_ATTEMPTS", std::to_string(run.max_attempts));
    set(variables, "DORMOUSE_FENCE", run.fence);
    if (run.timeout > Millis{0}) {
        const auto deadline = after(begun, run.timeout);
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(deadline.time_since_epoch());
        set(variables, "DORMOUSE_DEADLINE", std::to_string(seconds.count()));
    }
    if (is_traceparent(run.traceparent)) set(variables, "TRACEPARENT", run.traceparent);
}

Result<Launch> launch(const config::Task& task, Control control, const std::function<void(Variables&)>& add) {
    if (const auto directory = check_directory(task); !directory) return tl::unexpected(directory.error());
    auto variables = base_environment(task);
    if (!variables) return tl::unexpected(variables.error());
    auto program = find_program(task, *variables);
    if (!program) return tl::unexpected(program.error());
    set(*variables, "DORMOUSE_CONTROL_FD", std::to_string(control_fd));
    add(*variables);
    Launch launch{std::move(*program), task.command,        {}, task.working_directory, control,
                  task.umask,          task.sandbox.network};
    for (const auto& [name, value] : *variables) launch.environment.push_back(name + "=" + value);
    return launch;
}

}  // namespace

Result<Launch> launch_for(const config::Task& task, const RunSpec& run, std::chrono::system_clock::time_point begun) {
    return launch(task, Control::pipe, [&](Variables& variables) { add_run(variables, run, begun); });
}

Result<Launch> launch_for_process(const config::Task& task, const config::Limits& limits, const std::string& name) {
    return launch(task, Control::socket, [&](Variables& variables) {
        set(variables, "DORMOUSE_PROCESS", name);
        set(variables, "DORMOUSE_RESULT_BYTES", std::to_string(limits.result_bytes));
    });
}

Status check_command(const config::Task& task) {
    const auto launch = launch_for(task, RunSpec{}, {});
    if (!launch) return tl::unexpected(launch.error());
    return check_loadable(task, launch->file);
}

CgroupLimits limits_of(const config::Task& task) {
    return {task.memory_max, task.cpu_weight, task.pids_max};
}

std::string out_of_memory_text(const config::Task& task) {
    return "killed by the kernel: its processes took more than " + std::to_string(task.memory_max) +
           " bytes (memory_max of task " + task.name + ")";
}

}  // namespace dormouse::handlers
