// Environment files: each name once, such as a program takes them, and an error that does not repeat a value.
#include <set>
#include <string>

#include "fuzz.h"
#include "handlers/environment_file.h"

using namespace dormouse;
using namespace dormouse::handlers;
using fuzz::require;

namespace {

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

void run(std::string_view bytes) {
    const auto variables = parse_environment(bytes, "the file");
    if (!variables) {
        const std::string& message = variables.error().message;
        return require(variables.error().kind == ErrorKind::invalid && message.starts_with("the file:") &&
                       fuzz::is_plain(message));
    }
    std::set<std::string> names;
    std::string again;
    for (const auto& [name, value] : *variables) {
        require(names.insert(name).second && !name.empty() && name.find_first_not_of(letters) == std::string::npos);
        require(!name.starts_with("DORMOUSE_") && value.find('\0') == std::string::npos &&
                value.size() <= bytes.size());
        again += name + "=";
        for (const char c : value) again += c == '\'' ? std::string("\"'\"") : "'" + std::string(1, c) + "'";
        again += "\n";
    }
    if (again.size() < 60'000)
        require(parse_environment(again, "the same").value_or(Variables{{"none", ""}}) == *variables);
}

const fuzz::Target target("environment", run);

}  // namespace
