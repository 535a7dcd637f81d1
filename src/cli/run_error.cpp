#include "cli/run_error.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace dormouse::cli {

namespace {

std::string member(const nlohmann::json& error, const char* name) {
    const auto found = error.find(name);
    return found != error.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string first_line(std::string text) {
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

/// Of these the first line of the message says only how the program ended.
bool is_an_end(const std::string& error_class) {
    return error_class == "exit" || error_class == "signal" || error_class == "timeout" ||
           error_class == "out_of_memory";
}

}  // namespace

std::string error_line(std::string_view json) {
    if (json.empty()) return {};
    const auto error = nlohmann::json::parse(json, nullptr, false);
    if (error.is_string()) return first_line(error.get<std::string>());
    if (!error.is_object()) return first_line(std::string(json));
    const std::string error_class = member(error, "class");
    const std::string whole = member(error, "message");
    const std::string message = is_an_end(error_class) ? brief(whole) : first_line(whole);
    if (error_class.empty() && message.empty()) return first_line(std::string(json));
    return error_class + (error_class.empty() || message.empty() ? "" : ": ") + message;
}

}  // namespace dormouse::cli
