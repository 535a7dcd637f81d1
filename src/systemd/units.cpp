#include "systemd/units.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "systemd/bus.h"

namespace dormouse::systemd {
namespace {

constexpr std::size_t most_asked_one_by_one = 100;
constexpr const char* bus_of_services = "org.freedesktop.systemd1.Service";
constexpr const char* bus_of_timers = "org.freedesktop.systemd1.Timer";

/// What `name` starts and ends with taken away; empty: it does not.
std::string_view between(std::string_view name, std::string_view start, std::string_view end) {
    if (!name.starts_with(start) || !name.ends_with(end) || name.size() <= start.size() + end.size()) return {};
    return name.substr(start.size(), name.size() - start.size() - end.size());
}

using All = std::map<std::string, PoolUnits>;

void note(All& all, std::string_view name, const std::string& active, const std::string& sub) {
    const auto find = [&](std::string_view pool) {
        const auto found = all.find(std::string(pool));
        return found == all.end() ? nullptr : &found->second;
    };
    const bool armed = active == "active" || active == "activating";
    if (PoolUnits* const units = find(between(name, "dormouse@", ".target"))) units->target = active;
    if (PoolUnits* const units = find(between(name, "dormouse@", ".socket"))) units->socket = active;
    if (PoolUnits* const units = find(between(name, "dormouse@", ".path"))) units->path = active;
    if (PoolUnits* const units = find(between(name, "dormouse@", ".timer"))) units->due_timer |= armed;
    if (PoolUnits* const units = find(between(name, "dormouse@", ".service"))) {
        units->service = active;
        units->service_sub = sub;
    }
    if (PoolUnits* const units = find(between(name, "dormouse-relay@", ".service")))
        units->relay = sub == "auto-restart" ? "failed" : active;
    // dormouse-due-POOL-NUMBER.timer
    std::string_view due = between(name, "dormouse-due-", ".timer");
    if (const auto dash = due.rfind('-'); dash != std::string_view::npos)
        if (PoolUnits* const units = find(due.substr(0, dash))) units->due_timer |= armed;
}

/// One question for all of them.
int list_units(sd_bus* bus, All& all) {
    sd_bus_message* raw = nullptr;
    Message call(nullptr, sd_bus_message_unref);
    int code = sd_bus_message_new_method_call(bus, &raw, bus_service, bus_object, bus_manager, "ListUnitsByPatterns");
    call.reset(raw);
    if (code < 0 || (code = sd_bus_message_append(call.get(), "as", 0)) < 0 ||
        (code = sd_bus_message_append(call.get(), "as", 3, "dormouse@*", "dormouse-due-*.timer", "dormouse-relay@*")) <
            0)
        return code;
    raw = nullptr;
    code = sd_bus_call(bus, call.get(), 0, nullptr, &raw);
    const Message reply(raw, sd_bus_message_unref);
    if (code < 0 || (code = sd_bus_message_enter_container(reply.get(), 'a', "(ssssssouso)")) < 0) return code;
    const char* name = nullptr;
    const char* load = nullptr;
    const char* active = nullptr;
    const char* sub = nullptr;
    const char* skipped = nullptr;
    std::uint32_t job = 0;
    while ((code = sd_bus_message_read(reply.get(), "(ssssssouso)", &name, &skipped, &load, &active, &sub, &skipped,
                                       &skipped, &job, &skipped, &skipped)) > 0)
        note(all, name, std::strcmp(load, "masked") == 0 ? load : active, sub);
    return code;
}

bool starts_at_boot(sd_bus* bus, const std::string& pool) {
    sd_bus_message* raw = nullptr;
    const std::string unit = "dormouse@" + pool + ".target";
    const int code = sd_bus_call_method(bus, bus_service, bus_object, bus_manager, "GetUnitFileState", nullptr, &raw,
                                        "s", unit.c_str());
    const Message reply(raw, sd_bus_message_unref);
    const char* state = nullptr;
    if (code < 0 || sd_bus_message_read(reply.get(), "s", &state) <= 0) return true;
    return std::strcmp(state, "disabled") != 0;
}

int read_change(sd_bus* bus, UnitChange& change) {
    std::string object;
    int code = load_unit(bus, change.unit, object);
    if (code < 0) return code;
    const char* const path = object.c_str();
    char** drop_ins = nullptr;
    code = sd_bus_get_property_strv(bus, bus_service, path, bus_unit, "DropInPaths", nullptr, &drop_ins);
    for (char** one = drop_ins; code >= 0 && one != nullptr && *one != nullptr; ++one) {
        change.drop_ins.emplace_back(*one);
        std::free(*one);
    }
    std::free(drop_ins);
    int reload = 0;
    if (code >= 0)
        code = sd_bus_get_property_trivial(bus, bus_service, path, bus_unit, "NeedDaemonReload", nullptr, 'b', &reload);
    change.needs_reload = reload != 0;
    return code;
}

/// The object of a unit, or an empty path: it is not loaded.
std::string object_of(sd_bus* bus, const std::string& unit) {
    sd_bus_message* raw = nullptr;
    const int code =
        sd_bus_call_method(bus, bus_service, bus_object, bus_manager, "GetUnit", nullptr, &raw, "s", unit.c_str());
    const Message reply(raw, sd_bus_message_unref);
    const char* path = nullptr;
    return code < 0 || sd_bus_message_read(reply.get(), "o", &path) <= 0 ? "" : path;
}

/// A point in time that systemd gives in microseconds; none: there is none.
std::optional<double> time_of(sd_bus* bus, const std::string& path, const char* interface, const char* name) {
    std::uint64_t usec = 0;
    if (sd_bus_get_property_trivial(bus, bus_service, path.c_str(), interface, name, nullptr, 't', &usec) < 0 ||
        usec == 0 || usec == UINT64_MAX)
        return std::nullopt;
    return static_cast<double>(usec) / 1e6;
}

double clock_now(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

UnitAtRest read_rest(sd_bus* bus, const std::string& pool, std::optional<std::uint64_t> timer) {
    UnitAtRest rest;
    if (const std::string path = object_of(bus, "dormouse@" + pool + ".service"); !path.empty()) {
        rest.since = time_of(bus, path, bus_unit, "StateChangeTimestamp");
        char* result = nullptr;
        if (sd_bus_get_property_string(bus, bus_service, path.c_str(), bus_of_services, "Result", nullptr, &result) >=
            0)
            rest.result = result;
        std::free(result);
        sd_bus_get_property_trivial(bus, bus_service, path.c_str(), bus_of_services, "ExecMainStatus", nullptr, 'i',
                                    &rest.exit_status);
    }
    if (!timer) return rest;
    const std::string path = object_of(bus, "dormouse-due-" + pool + "-" + std::to_string(*timer) + ".timer");
    if (path.empty()) return rest;
    // where both of its clocks are set, this one stays right while the host is suspended
    rest.fires_at = time_of(bus, path, bus_of_timers, "NextElapseUSecRealtime");
    if (rest.fires_at) return rest;
    if (const auto at = time_of(bus, path, bus_of_timers, "NextElapseUSecMonotonic"))
        rest.fires_at = clock_now(CLOCK_REALTIME) + (*at - clock_now(CLOCK_MONOTONIC));
    return rest;
}

}  // namespace

Result<std::map<std::string, UnitAtRest>> at_rest(const std::map<std::string, std::optional<std::uint64_t>>& pools,
                                                  Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    std::map<std::string, UnitAtRest> all;
    for (const auto& [pool, timer] : pools) all.emplace(pool, read_rest(bus->get(), pool, timer));
    return all;
}

Result<std::vector<UnitChange>> changes_of(const std::string& pool, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    std::vector<UnitChange> changes;
    for (const char* const kind : {".target", ".socket", ".path", ".service"}) {
        changes.push_back({"dormouse@" + pool + kind, {}, false});
        if (const int code = read_change(bus->get(), changes.back()); code < 0) return tl::unexpected(bus_failed(code));
    }
    return changes;
}

Result<std::string> account_of_service(const std::string& pool, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    std::string object;
    char* user = nullptr;
    int code = load_unit(bus->get(), "dormouse@" + pool + ".service", object);
    if (code >= 0)
        code = sd_bus_get_property_string(bus->get(), bus_service, object.c_str(), bus_of_services, "User", nullptr,
                                          &user);
    if (code < 0) return tl::unexpected(bus_failed(code));
    std::string account = user;
    std::free(user);
    return account;
}

Result<Millis> stop_timeout_of(const std::string& pool, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    std::string object;
    std::uint64_t microseconds = 0;
    int code = load_unit(bus->get(), "dormouse@" + pool + ".service", object);
    if (code >= 0)
        code = sd_bus_get_property_trivial(bus->get(), bus_service, object.c_str(), bus_of_services, "TimeoutStopUSec",
                                           nullptr, 't', &microseconds);
    if (code < 0) return tl::unexpected(bus_failed(code));
    constexpr std::uint64_t for_ever = 1'000'000'000'000;  // infinity is the largest number that there is
    return Millis{static_cast<Millis::rep>(std::min(microseconds / 1'000, for_ever))};
}

Result<All> units_of(const std::vector<std::string>& names, Millis patience) {
    All all;
    for (const std::string& name : names) all.emplace(name, PoolUnits{});
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    if (const int code = list_units(bus->get(), all); code < 0) return tl::unexpected(bus_failed(code));
    if (all.size() <= most_asked_one_by_one)
        for (auto& [name, units] : all)
            if (units.on()) units.at_boot = starts_at_boot(bus->get(), name);
    return all;
}

}  // namespace dormouse::systemd
