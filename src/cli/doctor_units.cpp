#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <cstdio>

#include "cli/doctor_parts.h"
#include "systemd/local_rings.h"
#include "systemd/units.h"

namespace dormouse::cli {
namespace {

constexpr Millis longest_question{2'000};

std::string mode_of(const std::string& path) {
    struct stat seen{};
    char text[16] = "not there";
    if (::stat(path.c_str(), &seen) == 0) std::snprintf(text, sizeof text, "mode %04o", seen.st_mode & 07777U);
    return text;
}

void add_doorbell(Findings& findings, const PoolSeen& pool) {
    const std::string path = config::doorbell_of(*pool.local);
    const std::string about = "pool " + pool.name + ": doorbell";
    if (pool.listening) return findings.push_back({Grade::ok, about, path + " listens, " + mode_of(path), ""});
    findings.push_back(
        {pool.units && pool.units->on() ? Grade::failed : Grade::note, about,
         "nobody listens at " + path + ", so this pool cannot be rung",
         pool.units ? "systemctl enable --now dormouse@" + pool.name + ".target" : systemd::fine_in_foreground});
}

/// What is wrong with them is what status calls for attention.
void add_units(Findings& findings, const PoolSeen& pool) {
    const std::string about = "pool " + pool.name + ": units";
    const systemd::PoolUnits& units = *pool.units;
    if (units.on())
        findings.push_back({Grade::ok, about,
                            "target " + units.target + ", socket " + units.socket + ", path " + units.path +
                                ", service " + (units.service.empty() ? "inactive" : units.service) + ", timer " +
                                (units.due_timer ? "armed" : "not armed"),
                            ""});
    const auto changes = systemd::changes_of(pool.name, longest_question);
    if (!changes) return findings.push_back({Grade::warning, about, changes.error().message, "systemctl status"});
    for (const systemd::UnitChange& one : *changes) {
        for (const std::string& path : one.drop_ins)
            findings.push_back(
                {Grade::note, about, one.unit + " has the drop-in " + path, "systemctl cat " + one.unit});
        if (one.needs_reload)
            findings.push_back({Grade::warning, about,
                                "the files of " + one.unit + " have changed since systemd read them",
                                "systemctl daemon-reload"});
    }
}

}  // namespace

void look_at_units(Findings& findings, const Overview& overview) {
    if (sd_booted() <= 0)
        findings.push_back({Grade::note, "systemd", "it does not run here, so nothing starts workers on demand",
                            "start `dormouse worker` with this host's supervisor"});
    for (const PoolSeen& pool : overview.pools) {
        if (!pool.local) continue;
        add_doorbell(findings, pool);
        if (pool.units) add_units(findings, pool);
    }
}

}  // namespace dormouse::cli
