#include "handlers/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>
#include <memory>
#include <string_view>

#include "base/unique_fd.h"

namespace dormouse::handlers {

namespace {

constexpr std::size_t file_limit_bytes = 8U
                                         << 20U;  // an environment may be a quarter of the stack limit: 2 MiB as a rule

std::optional<std::string> read_file(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return std::nullopt;
    std::string text;
    std::array<char, 4096> chunk{};
    while (text.size() < file_limit_bytes) {
        const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

std::string_view next_word(std::string_view& text) {
    const auto start = text.find_first_not_of(" \n");
    if (start == std::string_view::npos) return text = {};
    const auto end = std::min(text.find_first_of(" \n", start), text.size());
    const auto word = text.substr(start, end - start);
    text.remove_prefix(end);
    return word;
}

/// Nothing when the word is not a number as a whole.
std::optional<pid_t> to_pid(std::string_view word) {
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), pid);
    if (word.empty() || problem != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return pid;
}

/// The entries of a directory that are numbers: processes or threads.
std::vector<pid_t> numbers_in(const std::string& directory) {
    std::vector<pid_t> numbers;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) return numbers;
    while (const dirent* entry = ::readdir(stream.get())) {
        if (const auto number = to_pid(static_cast<const char*>(entry->d_name))) numbers.push_back(*number);
    }
    return numbers;
}

std::vector<pid_t> children_by_scan(pid_t parent) {
    std::vector<pid_t> children;
    for (const pid_t pid : all_processes()) {
        const auto stat = stat_of(pid);
        if (stat && stat->parent == parent) children.push_back(pid);
    }
    return children;
}

bool kernel_lists_children() {
    static const bool listed = ::access("/proc/thread-self/children", R_OK) == 0;
    return listed;
}

}  // namespace

std::vector<pid_t> all_processes() {
    return numbers_in("/proc");
}

std::optional<ProcessStat> stat_of(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
    if (!text) return std::nullopt;
    const auto name_end = text->rfind(')');  // the name itself may hold spaces and brackets
    if (name_end == std::string::npos) return std::nullopt;
    std::string_view rest = std::string_view(*text).substr(name_end + 1);
    ProcessStat stat;
    const auto state = next_word(rest);
    if (!state.empty()) stat.state = state.front();
    stat.parent = to_pid(next_word(rest)).value_or(0);
    next_word(rest);  // the process group
    stat.session = to_pid(next_word(rest)).value_or(0);
    constexpr int start_time = 22;  // its number in proc(5); the session was the sixth
    for (int field = 7; field < start_time; ++field) next_word(rest);
    const auto began = next_word(rest);
    std::from_chars(began.data(), began.data() + began.size(), stat.began);
    return stat;
}

std::uint64_t ticks_now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto each = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    constexpr std::uint64_t second = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * each + static_cast<std::uint64_t>(now.tv_nsec) * each / second;
}

std::vector<pid_t> children_of(pid_t pid) {
    if (!kernel_lists_children()) return children_by_scan(pid);
    std::vector<pid_t> children;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task/";
    for (const pid_t thread : numbers_in(tasks)) {
        const auto text = read_file(tasks + std::to_string(thread) + "/children");
        if (!text) continue;
        std::string_view rest = *text;
        for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
            if (const auto child = to_pid(word)) children.push_back(*child);
        }
    }
    return children;
}

std::vector<pid_t> descendants_of(pid_t pid) {
    std::vector<pid_t> found = children_of(pid);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto more = children_of(found[i]);
        found.insert(found.end(), more.begin(), more.end());
    }
    return found;
}

std::optional<std::string> variable_of(pid_t pid, const std::string& name) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/environ");
    if (!text) return std::nullopt;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto entry = rest.substr(0, rest.find('\0'));
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            return std::string(entry.substr(name.size() + 1));
        }
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    }
    return std::nullopt;
}

bool is_loading(pid_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    const auto environment = read_file(directory + "/environ");
    if (!environment || !environment->empty()) return false;
    const auto stat = read_file(directory + "/stat");
    if (!stat || stat->rfind(')') == std::string::npos) return false;
    std::string_view rest = std::string_view(*stat).substr(stat->rfind(')') + 1);
    if (next_word(rest) == "Z") return false;
    constexpr int env_end = 51;  // its number in proc(5); the state was the third
    for (int field = 4; field < env_end; ++field) next_word(rest);
    return next_word(rest) == "0";
}

}  // namespace dormouse::handlers
