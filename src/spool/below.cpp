#include "spool/below.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "base/unique_fd.h"
#include "spool/entry.h"

namespace dormouse::spool {
namespace {

constexpr std::int64_t most_counted = 1'000;
constexpr unsigned clone_tree =
    1;  // OPEN_TREE_CLONE, without AT_RECURSIVE: one mount, and nothing that is mounted on it

/// "\040" is a blank. Source: proc(5).
std::string unescaped(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size();
        plain += escape ? static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'))
                        : text[i];
        if (escape) i += 3;
    }
    return plain;
}

/// Where something is mounted between the root and `path`, `path` itself included.
std::set<std::string> mounts_above(const std::string& path) {
    std::set<std::string> mounts;
    std::ifstream file("/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        for (int i = 0; i < 5; ++i) words >> word;
        const std::string mount = unescaped(word);
        if (mount != "/" && (path + "/").starts_with(mount + "/")) mounts.insert(mount);
    }
    return mounts;
}

std::int64_t count_entries(const UniqueFd& directory) {
    const int again = ::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(again), ::closedir);
    if (!stream) return 0;
    std::int64_t files = 0;
    while (const dirent* const entry = ::readdir(stream.get()))
        if (is_entry(entry->d_name) && ++files == most_counted) break;
    return files;
}

}  // namespace

std::optional<Hidden> hidden_files(const std::string& path) {
    std::error_code failed;
    // of a directory above it that something is mounted over it may be missing
    const std::string place = std::filesystem::weakly_canonical(path, failed).string();
    if (failed) return std::nullopt;
    for (const std::string& mount : mounts_above(place)) {
        const std::string above = std::filesystem::path(mount).parent_path().string();
        const UniqueFd tree(
            static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, above.c_str(), clone_tree | O_CLOEXEC)));
        if (!tree.valid()) continue;
        const std::string rest = place.substr(above == "/" ? 1 : above.size() + 1);
        const UniqueFd below(::openat(tree.get(), rest.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        const std::int64_t files = below.valid() ? count_entries(below) : 0;
        if (files > 0) return Hidden{mount, above, rest, files};
    }
    return std::nullopt;
}

}  // namespace dormouse::spool
