#include "cli/new_program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/account.h"
#include "cli/become.h"
#include "cli/text.h"

namespace dormouse::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// NAME stands for the task, the program and its pool.
constexpr const char* program = R"(#include <dormouse/typed.h>

struct Payload {
    std::string name;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Payload, name)

int main(int argc, char** argv) {
    dormouse::Worker worker{{.pool = argc > 1 ? argv[1] : "NAME"}};
    worker.task<Payload>("NAME", [](dormouse::Run& run, const Payload& payload) -> dormouse::Result {
        run.log(dormouse::Level::info, "greets " + payload.name);
        return dormouse::Result::completed(nlohmann::json{{"hello", payload.name}});
    });
    return worker.run();
}
)";
constexpr const char* build_file = R"(cmake_minimum_required(VERSION 3.25)
project(NAME LANGUAGES CXX)
find_package(dormouse CONFIG REQUIRED)
add_executable(NAME NAME.cpp)
target_link_libraries(NAME PRIVATE dormouse::dormouse)
)";

std::string named(std::string text, const std::string& name) {
    constexpr std::string_view word = "NAME";
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + name.size()))
        text.replace(at, word.size(), name);
    return text;
}

/// As CMake finds it: by dormouse_DIR, or where the package of this program would have put it.
bool is_library_there() {
    if (const char* const own = std::getenv("dormouse_DIR"); own != nullptr) return true;
    std::error_code ignored;
    const fs::path beside = fs::path(own_path()).parent_path().parent_path() / "lib/cmake/dormouse";
    return fs::exists(beside, ignored) || fs::exists("/usr/lib/cmake/dormouse", ignored);
}

/// Packages of Debian that the build needs and that are not here.
std::vector<std::string> missing() {
    std::vector<std::string> names;
    if (path_of_program("c++").empty()) names.emplace_back("g++");
    if (path_of_program("cmake").empty()) names.emplace_back("cmake");
    if (path_of_program("pkg-config").empty()) names.emplace_back("pkg-config");
    if (!is_library_there()) names.emplace_back("libdormouse-dev");
    return names;
}

Try<void> write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (file) return {};
    return give_up(from_errno(errno, path));
}

}  // namespace

std::string path_of_program(const std::string& name) {
    const char* const path = std::getenv("PATH");
    std::istringstream directories(path == nullptr ? "/usr/bin:/bin" : path);
    std::string found;
    for (std::string directory; std::getline(directories, directory, ':');) {
        const std::string file = directory + "/" + name;
        if (::access(file.c_str(), X_OK) == 0 && (found.empty() || directory == "/usr/bin")) found = file;
    }
    return found;
}

Outcome new_program(const NewOptions& options) {
    const std::string directory = options.directory + "/" + options.name;
    if ((::mkdir(options.directory.c_str(), 0755) != 0 && errno != EEXIST) || ::mkdir(directory.c_str(), 0755) != 0) {
        Failure failure = from(from_errno(errno, directory));
        if (errno == EACCES) failure.message += "; only root may write there: " + command_as_root();
        if (errno == EEXIST) failure = {Exit::config, directory + " is there already, and is not written over"};
        return tl::unexpected(std::move(failure));
    }
    for (const auto& [file, text] : {std::pair("/" + options.name + ".cpp", program), {"/CMakeLists.txt", build_file}})
        if (const auto done = write(directory + file, named(text, options.name)); !done)
            return tl::unexpected(done.error());
    const std::string path = shell_word(directory);
    const std::string build = "cmake -S " + path + " -B " + path + "/build && cmake --build " + path + "/build";
    const std::string built = directory + "/build/" + options.name;
    std::string lacks;
    for (const std::string& one : missing()) lacks += (lacks.empty() ? "" : " ") + one;
    if (options.json) {
        print(safe_json(Json{{"task", options.name},
                             {"directory", directory},
                             {"program", built},
                             {"build", build},
                             {"missing", lacks.empty() ? Json(nullptr) : Json(lacks)}}
                            .dump()) +
              "\n");
        flush_stdout();
        return lacks.empty() ? become("/bin/sh", {"-c", "(" + build + ") >&2"}) : Exit::ok;
    }
    const std::string next = "# next: " + built + " is the worker of a pool of its own, " + options.name +
                             ": /usr/share/doc/dormouse/docs/embedding.md";
    print("# wrote " + directory + "/" + options.name + ".cpp and CMakeLists.txt\n" + build + "\n");
    if (!lacks.empty()) {
        print("# not built, missing: " + lacks +
              " (and the -dev packages of libuv1, libpq, libsystemd, and nlohmann-json3-dev)\n" + next + "\n");
        return Exit::ok;
    }
    flush_stdout();
    return become("/bin/sh", {"-c", build + " && echo " + shell_word(next)});
}

}  // namespace dormouse::cli
