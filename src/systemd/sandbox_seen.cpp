#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "systemd/bus.h"
#include "systemd/sandbox.h"

namespace dormouse::systemd {
namespace {

constexpr const char* bus_service_unit = "org.freedesktop.systemd1.Service";
constexpr std::uint64_t cap_setuid = 1ULL << 7U;

/// A list that allows what is in it, or all but that.
struct Filter {
    bool allows = false;
    std::vector<std::string> names;

    [[nodiscard]] bool passes(std::string_view name) const {
        return allows == (std::find(names.begin(), names.end(), name) != names.end());
    }
    [[nodiscard]] bool open() const { return !allows && names.empty(); }
};

/// Reads properties of one unit. After the first error nothing more is read.
class Properties {
  public:
    Properties(sd_bus* bus, std::string path) : bus_(bus), path_(std::move(path)) {}

    [[nodiscard]] int code() const { return code_; }

    std::string text(const char* name, const char* interface = bus_service_unit) {
        char* value = nullptr;
        if (code_ >= 0)
            code_ = sd_bus_get_property_string(bus_, bus_service, path_.c_str(), interface, name, nullptr, &value);
        std::string copy = value == nullptr ? "" : value;
        std::free(value);
        return copy;
    }
    bool flag(const char* name) {
        int value = 0;
        read(name, 'b', &value);
        return value != 0;
    }
    std::uint64_t number(const char* name) {
        std::uint64_t value = 0;
        read(name, 't', &value);
        return value;
    }
    std::vector<std::string> list(const char* name) {
        char** values = nullptr;
        if (code_ >= 0)
            code_ =
                sd_bus_get_property_strv(bus_, bus_service, path_.c_str(), bus_service_unit, name, nullptr, &values);
        std::vector<std::string> copy;
        for (char** one = values; one != nullptr && *one != nullptr; ++one) {
            copy.emplace_back(*one);
            std::free(*one);
        }
        std::free(values);
        return copy;
    }
    Filter filter(const char* name) {
        Filter seen;
        const Message reply = ask(name, "(bas)");
        int allows = 0;
        if (code_ >= 0) code_ = sd_bus_message_enter_container(reply.get(), 'r', "bas");
        if (code_ >= 0) code_ = sd_bus_message_read(reply.get(), "b", &allows);
        if (code_ >= 0) code_ = sd_bus_message_enter_container(reply.get(), 'a', "s");
        const char* value = nullptr;
        while (code_ >= 0 && (code_ = sd_bus_message_read(reply.get(), "s", &value)) > 0)
            seen.names.emplace_back(value);
        seen.allows = allows != 0;
        return seen;
    }
    /// The first of each pair.
    std::vector<std::string> pairs(const char* name) {
        std::vector<std::string> seen;
        const Message reply = ask(name, "a(ss)");
        if (code_ >= 0) code_ = sd_bus_message_enter_container(reply.get(), 'a', "(ss)");
        const char* first = nullptr;
        const char* second = nullptr;
        while (code_ >= 0 && (code_ = sd_bus_message_read(reply.get(), "(ss)", &first, &second)) > 0)
            seen.emplace_back(first);
        return seen;
    }

  private:
    void read(const char* name, char type, void* value) {
        if (code_ >= 0)
            code_ = sd_bus_get_property_trivial(bus_, bus_service, path_.c_str(), bus_service_unit, name, nullptr, type,
                                                value);
    }
    Message ask(const char* name, const char* type) {
        sd_bus_message* raw = nullptr;
        if (code_ >= 0)
            code_ = sd_bus_get_property(bus_, bus_service, path_.c_str(), bus_service_unit, name, nullptr, &raw, type);
        return {raw, sd_bus_message_unref};
    }

    sd_bus* bus_;
    std::string path_;
    int code_ = 0;
};

/// Of a unit, as far as the words need it.
struct SandboxSeen {
    std::string protect_home;
    std::string protect_system;
    std::string device_policy;
    std::vector<std::string> writable;
    std::vector<std::string> devices;
    std::vector<std::string> architectures;
    Filter calls;
    Filter families;
    std::uint64_t namespaces = 0;
    std::uint64_t capabilities = 0;
    bool private_tmp = false;
    bool private_devices = false;
    bool no_setgid = false;
    bool no_privileges = false;  ///< by itself, or by what implies it
};

SandboxSeen look(Properties& unit) {
    SandboxSeen seen;
    seen.protect_home = unit.text("ProtectHome");
    seen.protect_system = unit.text("ProtectSystem");
    seen.device_policy = unit.text("DevicePolicy");
    seen.writable = unit.list("ReadWritePaths");
    seen.devices = unit.pairs("DeviceAllow");
    seen.architectures = unit.list("SystemCallArchitectures");
    seen.calls = unit.filter("SystemCallFilter");
    seen.families = unit.filter("RestrictAddressFamilies");
    seen.namespaces = unit.number("RestrictNamespaces");
    seen.capabilities = unit.number("CapabilityBoundingSet");
    seen.private_tmp = unit.flag("PrivateTmp");
    seen.private_devices = unit.flag("PrivateDevices");
    seen.no_setgid = unit.flag("RestrictSUIDSGID");
    for (const char* const name :
         {"NoNewPrivileges", "LockPersonality", "MemoryDenyWriteExecute", "ProtectClock", "ProtectHostname",
          "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "RestrictRealtime", "DynamicUser"})
        seen.no_privileges |= unit.flag(name);
    return seen;
}

bool below(std::string_view path, std::string_view directory) {
    return path == directory || directory == "/" || (path.starts_with(directory) && path[directory.size()] == '/');
}

bool below_any(std::string_view path, std::initializer_list<std::string_view> directories) {
    return std::any_of(directories.begin(), directories.end(), [&](auto one) { return below(path, one); });
}

bool writable(const SandboxSeen& seen, const std::string& path, const std::string& pool) {
    const bool home = below_any(path, {"/home", "/root", "/run/user"});
    if (home && seen.protect_home == "yes") return false;
    if (home && seen.protect_home == "no") return true;
    if (below_any(path, {"/tmp", "/var/tmp"}) && seen.private_tmp) return true;
    if (below(path, "/var/lib/dormouse/" + pool)) return true;
    for (std::string_view one : seen.writable) {
        one.remove_prefix(std::min(one.find_first_not_of("-+"), one.size()));
        if (below(path, one)) return true;
    }
    if (home || seen.protect_system == "strict") return false;
    return seen.protect_system == "no" || !below_any(path, {"/usr", "/boot", "/efi", "/etc"});
}

bool opens_namespaces(const SandboxSeen& seen) {
    constexpr std::uint64_t needed = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
    return (seen.namespaces & needed) == needed;
}

bool given(const Opening& opening, const SandboxSeen& seen, const std::string& pool) {
    switch (opening.word) {
        case Word::home:
            return seen.protect_home == "no" || (opening.value == "read-only" && seen.protect_home == "read-only");
        case Word::write:
            return writable(seen, opening.value, pool);
        case Word::devices:
            return !seen.private_devices &&
                   ((seen.device_policy == "auto" && seen.devices.empty()) ||
                    std::find(seen.devices.begin(), seen.devices.end(), opening.value) != seen.devices.end());
        case Word::ownership:
            return !seen.no_setgid && seen.calls.passes("chown");
        case Word::priority:
            return seen.calls.passes("setpriority");
        case Word::netlink:
            return seen.families.passes("AF_NETLINK");
        case Word::shared_tmp:
            return !seen.private_tmp;
        case Word::namespaces:
            return opens_namespaces(seen) && seen.calls.passes("mount") && seen.calls.passes("chroot") &&
                   seen.families.passes("AF_NETLINK") && !seen.no_setgid;
        case Word::privileges:
            return !seen.no_privileges && !seen.no_setgid && !seen.private_devices && seen.calls.open() &&
                   seen.families.open() && opens_namespaces(seen) && seen.architectures.empty() &&
                   (seen.capabilities & cap_setuid) != 0;
    }
    return false;
}

}  // namespace

Result<std::vector<Opening>> not_given(const std::string& pool, const std::vector<Opening>& openings, Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    const std::string name = "dormouse@" + pool + ".service";
    sd_bus_message* raw = nullptr;
    int code = sd_bus_call_method(bus->get(), bus_service, bus_object, bus_manager, "LoadUnit", nullptr, &raw, "s",
                                  name.c_str());
    const Message loaded(raw, sd_bus_message_unref);
    const char* path = nullptr;
    if (code < 0 || (code = sd_bus_message_read(loaded.get(), "o", &path)) < 0) return tl::unexpected(bus_failed(code));
    Properties unit(bus->get(), path);
    if (unit.text("LoadState", bus_unit) != "loaded" && unit.code() >= 0)
        return fail(ErrorKind::invalid, "systemd has no unit " + name);
    const SandboxSeen seen = look(unit);
    if (unit.code() < 0) return tl::unexpected(bus_failed(unit.code()));
    std::vector<Opening> missing;
    for (const Opening& one : openings)
        if (!given(one, seen, pool)) missing.push_back(one);
    return missing;
}

}  // namespace dormouse::systemd
