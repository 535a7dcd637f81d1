#include "systemd/bus.h"

#include <cerrno>
#include <cstring>

namespace dormouse::systemd {

Error bus_failed(int code) {
    const bool denied = code == -EACCES || code == -EPERM;
    return {denied ? ErrorKind::denied : ErrorKind::disconnected,
            std::string("systemd does not answer on the system bus: ") + std::strerror(-code)};
}

Result<Bus> open_bus(Millis patience) {
    sd_bus* raw = nullptr;
    if (const int code = sd_bus_open_system(&raw); code < 0) return tl::unexpected(bus_failed(code));
    Bus bus(raw, sd_bus_flush_close_unref);
    sd_bus_set_method_call_timeout(bus.get(), static_cast<std::uint64_t>(std::chrono::microseconds(patience).count()));
    return bus;
}

int load_unit(sd_bus* bus, const std::string& unit, std::string& path) {
    sd_bus_message* raw = nullptr;
    int code =
        sd_bus_call_method(bus, bus_service, bus_object, bus_manager, "LoadUnit", nullptr, &raw, "s", unit.c_str());
    const Message reply(raw, sd_bus_message_unref);
    const char* found = nullptr;
    if (code >= 0 && (code = sd_bus_message_read(reply.get(), "o", &found)) >= 0) path = found;
    return code;
}

}  // namespace dormouse::systemd
