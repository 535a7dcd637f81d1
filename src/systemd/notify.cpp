#include "systemd/notify.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace dormouse::systemd {
namespace {

bool silent = false;

void send(const std::string& state) {
    if (!silent) sd_notify(0, state.c_str());
}

}  // namespace

void notify_ready() {
    send("READY=1");
}

void notify_stopping(const std::string& status) {
    send("STOPPING=1\nSTATUS=" + status);
}

void notify_main_process(int pid) {
    send("MAINPID=" + std::to_string(pid));
}

void notify_no_more() {
    silent = true;
}

void notify_status(const std::string& status) {
    send("STATUS=" + status);
}

void extend_stop_timeout(Millis more) {
    send("EXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds(more).count()));
}

void notify_watchdog() {
    send("WATCHDOG=1");
}

std::optional<Millis> watchdog_period() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
    return std::chrono::duration_cast<Millis>(std::chrono::microseconds(microseconds));
}

}  // namespace dormouse::systemd
