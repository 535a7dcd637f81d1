#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include "config/text.h"
#include "systemd/bus.h"
#include "systemd/units.h"

namespace dormouse::systemd {
namespace {

/// The unit's own file and its drop-ins.
int files_of(sd_bus* bus, const std::string& unit, std::vector<std::string>& files) {
    sd_bus_message* raw = nullptr;
    int code =
        sd_bus_call_method(bus, bus_service, bus_object, bus_manager, "LoadUnit", nullptr, &raw, "s", unit.c_str());
    const Message loaded(raw, sd_bus_message_unref);
    const char* path = nullptr;
    if (code < 0 || (code = sd_bus_message_read(loaded.get(), "o", &path)) < 0) return code;
    char* own = nullptr;
    code = sd_bus_get_property_string(bus, bus_service, path, bus_unit, "FragmentPath", nullptr, &own);
    if (code >= 0 && *own != '\0') files.emplace_back(own);
    std::free(own);
    char** drop_ins = nullptr;
    if (code >= 0) code = sd_bus_get_property_strv(bus, bus_service, path, bus_unit, "DropInPaths", nullptr, &drop_ins);
    for (char** one = drop_ins; one != nullptr && *one != nullptr; ++one) {
        files.emplace_back(*one);
        std::free(*one);
    }
    std::free(drop_ins);
    return code;
}

/// %i, %n and their kind; others stay as they are.
std::string specified(std::string_view text, const std::string& pool) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char next = text[at] == '%' && at + 1 < text.size() ? text[++at] : '\0';
        if (next == '\0') {
            result += text[at];
        } else if (next == 'i' || next == 'I' || next == 'j' || next == 'J') {
            result += pool;
        } else if (next == 'n' || next == 'N') {
            result += "dormouse@" + pool + (next == 'n' ? ".service" : "");
        } else if (next == 'p' || next == 'P') {
            result += "dormouse";
        } else if (next == '%') {
            result += '%';
        } else {
            result += std::string("%") + next;
        }
    }
    return result;
}

/// systemd-run gives what systemd computes of each by itself, and cannot take back a list; of capabilities an empty
/// list is none at all.
void add_setting(std::string key, const std::string& value, std::vector<std::string>& settings) {
    key += '=';
    if (!value.empty() || key == "CapabilityBoundingSet=") return settings.push_back(key + value);
    std::erase_if(settings, [&](const std::string& one) { return one.starts_with(key); });
}

void add_settings(std::istream& file, const std::string& pool, std::vector<std::string>& settings) {
    bool of_service = false;
    std::string whole;
    for (std::string line; std::getline(file, line);) {
        const std::string_view text = config::trimmed(line);
        if (text.starts_with('#') || text.starts_with(';') || (text.empty() && whole.empty())) continue;
        whole += text;
        if (whole.ends_with('\\')) {
            whole.back() = ' ';
            continue;
        }
        if (whole.starts_with('[')) {
            of_service = whole == "[Service]";
        } else if (const std::size_t equals = whole.find('='); of_service && equals != std::string::npos) {
            add_setting(std::string(config::trimmed(std::string_view(whole).substr(0, equals))),
                        specified(config::trimmed(std::string_view(whole).substr(equals + 1)), pool), settings);
        }
        whole.clear();
    }
}

}  // namespace

Result<std::vector<std::string>> service_settings(const std::string& pool, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    const std::string unit = "dormouse@" + pool + ".service";
    std::vector<std::string> files;
    if (const int code = files_of(bus->get(), unit, files); code < 0) return tl::unexpected(bus_failed(code));
    if (files.empty()) return fail(ErrorKind::invalid, "systemd has no unit " + unit + "; the package brings it");
    std::vector<std::string> settings;
    for (const std::string& path : files) {
        std::ifstream file(path);
        if (!file) return fail(ErrorKind::invalid, path + ": cannot be read");
        add_settings(file, pool, settings);
    }
    return settings;
}

}  // namespace dormouse::systemd
