#include "cli/become.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string own_path() {
    std::error_code ignored;
    return fs::read_symlink("/proc/self/exe", ignored).string();
}

Try<std::string> helper(const std::string& name) {
    std::error_code ignored;
    const fs::path beside = fs::path(own_path()).parent_path();
    const fs::path installed = beside.parent_path() / "lib/dormouse";
    for (const fs::path& place : {installed / name, beside / name})
        if (fs::exists(place, ignored)) return place.string();
    return give_up(Exit::config, name + " is not where it is installed, in " + installed.string());
}

Outcome become(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return give_up(Exit::internal, from_errno(errno, program).message);
}

}  // namespace dormouse::cli
