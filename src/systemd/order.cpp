#include "systemd/order.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "systemd/bus.h"

namespace dormouse::systemd {
namespace {

using Names = std::vector<std::string>;

/// Before= or After= of a unit, with what systemd has added.
int ordered(sd_bus* bus, const std::string& unit, const char* which, Names& names) {
    std::string path;
    int code = load_unit(bus, unit, path);
    if (code < 0) return code;
    char** list = nullptr;
    code = sd_bus_get_property_strv(bus, bus_service, path.c_str(), bus_unit, which, nullptr, &list);
    for (char** one = list; one != nullptr && *one != nullptr; ++one) {
        names.emplace_back(*one);
        std::free(*one);
    }
    std::free(list);
    return code;
}

/// An inactive unit gets no stop job, so nobody waits for one.
int is_active(sd_bus* bus, const std::string& unit, bool& active) {
    std::string path;
    int code = load_unit(bus, unit, path);
    if (code < 0) return code;
    char* state = nullptr;
    code = sd_bus_get_property_string(bus, bus_service, path.c_str(), bus_unit, "ActiveState", nullptr, &state);
    active = code >= 0 && std::string(state) == "active";
    std::free(state);
    return code;
}

}  // namespace

Result<bool> ends_before(const std::string& pool, const std::string& server, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    Names after;
    Names before;
    int code = ordered(bus->get(), "dormouse@" + pool + ".service", "After", after);
    if (code >= 0) code = ordered(bus->get(), server, "Before", before);
    if (code < 0) return tl::unexpected(bus_failed(code));
    const auto has = [&](const std::string& name) {
        return std::find(after.begin(), after.end(), name) != after.end();
    };
    if (has(server)) return true;
    for (const std::string& between : before) {
        bool active = false;
        if (!has(between)) continue;
        code = is_active(bus->get(), between, active);
        if (code < 0) return tl::unexpected(bus_failed(code));
        if (active) return true;
    }
    return false;
}

std::string order_drop_in(const std::string& server) {
    return "# Written by `dormouse setup`: at a shutdown the worker hands its runs back before this server stops.\n[Unit]"
           "\nAfter=" +
           server + "\n";
}

std::string order_path(const std::string& pool) {
    return "/etc/systemd/system/dormouse@" + pool + ".service.d/40-server.conf";
}

}  // namespace dormouse::systemd
