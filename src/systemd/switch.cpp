#include "systemd/switch.h"

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "systemd/bus.h"

namespace dormouse::systemd {
namespace {

/// Waits for the end of one job.
struct QueuedJob {
    std::string path;
    std::string result;  ///< systemd's word; empty: not yet
};

int on_job_removed(sd_bus_message* signal, void* data, sd_bus_error*) {
    auto& job = *static_cast<QueuedJob*>(data);
    std::uint32_t id = 0;
    const char* path = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (sd_bus_message_read(signal, "uoss", &id, &path, &unit, &result) > 0 && job.path == path) job.result = result;
    return 0;
}

/// A refusal with systemd's own words, which name the unit.
Error refused(int code, const sd_bus_error& error, const std::string& target) {
    if (error.message == nullptr) return bus_failed(code);
    const bool denied = sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) != 0 ||
                        sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) != 0;
    return {denied ? ErrorKind::denied : ErrorKind::invalid, target + ": " + error.message};
}

/// One method of the manager; `types` and what follows are its parameters.
Result<Message> call(sd_bus* bus, const char* method, const std::string& target, const char* types, auto... values) {
    sd_bus_error error{};  // SD_BUS_ERROR_NULL, which is C99 and none of C++
    sd_bus_message* raw = nullptr;
    const int code =
        sd_bus_call_method(bus, bus_service, bus_object, bus_manager, method, &error, &raw, types, values...);
    Message reply(raw, sd_bus_message_unref);
    if (code >= 0) return reply;
    Error why = refused(code, error, target);
    sd_bus_error_free(&error);
    return tl::unexpected(std::move(why));
}

Status wait_for(sd_bus* bus, const QueuedJob& job, const std::string& target, BootClock::time_point end) {
    while (job.result.empty()) {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(end - BootClock::now()).count();
        if (left <= 0) return fail(ErrorKind::disconnected, target + ": systemd has not started it in time");
        int code = sd_bus_process(bus, nullptr);
        if (code == 0) code = sd_bus_wait(bus, static_cast<std::uint64_t>(left));
        if (code < 0 && code != -EINTR) return tl::unexpected(bus_failed(code));
    }
    if (job.result == "done") return {};
    return fail(ErrorKind::invalid,
                target + " does not start (" + job.result + "); systemctl status '" + target + "' says why");
}

}  // namespace

Status switch_on(const std::string& pool, Millis patience) {
    const std::string target = "dormouse@" + pool + ".target";
    const auto end = BootClock::now() + patience;
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    QueuedJob job;
    sd_bus_slot* raw = nullptr;
    const int code =
        sd_bus_match_signal(bus->get(), &raw, bus_service, bus_object, bus_manager, "JobRemoved", on_job_removed, &job);
    const std::unique_ptr<sd_bus_slot, decltype(&sd_bus_slot_unref)> slot(raw, sd_bus_slot_unref);
    if (code < 0) return tl::unexpected(bus_failed(code));
    for (const char* const method : {"Subscribe", "EnableUnitFiles", "Reload"}) {
        const bool enables = std::string_view(method) == "EnableUnitFiles";
        const auto done = enables ? call(bus->get(), method, target, "asbb", 1, target.c_str(), 0, 0)
                                  : call(bus->get(), method, target, "");
        if (!done) return tl::unexpected(done.error());
    }
    const auto started = call(bus->get(), "StartUnit", target, "ss", target.c_str(), "replace");
    if (!started) return tl::unexpected(started.error());
    const char* path = nullptr;
    if (const int read = sd_bus_message_read(started->get(), "o", &path); read < 0)
        return tl::unexpected(bus_failed(read));
    job.path = path;
    return wait_for(bus->get(), job, target, end);
}

Status reload_units(Millis patience) {
    auto bus = open_bus(patience);
    if (!bus) return tl::unexpected(bus.error());
    if (const auto done = call(bus->get(), "Reload", "daemon-reload", ""); !done) return tl::unexpected(done.error());
    return {};
}

}  // namespace dormouse::systemd
