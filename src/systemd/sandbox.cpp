#include "systemd/sandbox.h"

#include <algorithm>
#include <string_view>

namespace dormouse::systemd {
namespace {

struct Row {
    Word word;
    const char* name;
    bool config::Sandbox::* wanted;
    const char* settings;  ///< lines
    const char* cost;
};

// systemd sets NoNewPrivileges= by itself for an account other than root as long as any of these settings stands, and a
// program that becomes root needs what root may do.
constexpr const char* all_that_bars_privileges =
    "NoNewPrivileges=no\nCapabilityBoundingSet=~\nSystemCallFilter=\nSystemCallArchitectures=\n"
    "RestrictAddressFamilies=\nRestrictNamespaces=no\nRestrictRealtime=no\nRestrictSUIDSGID=no\nLockPersonality=no\n"
    "PrivateDevices=no\nDevicePolicy=closed\nProtectClock=no\nProtectHostname=no\nProtectKernelLogs=no\n"
    "ProtectKernelModules=no\nProtectKernelTunables=no";

constexpr Row rows[] = {
    {Word::privileges, "privileges", &config::Sandbox::privileges, all_that_bars_privileges,
     "system calls are not filtered, and every setuid program of this host can be started; what runs as another "
     "account ends with the unit, not with its run"},
    {Word::ownership, "ownership", &config::Sandbox::ownership, "SystemCallFilter=@chown\nRestrictSUIDSGID=no",
     "handlers can make programs that others execute with the rights of this account"},
    {Word::priority, "priority", &config::Sandbox::priority, "SystemCallFilter=@resources",
     "handlers can choose processors and raise their own limits up to the hard ones"},
    {Word::netlink, "netlink", &config::Sandbox::netlink, "RestrictAddressFamilies=AF_NETLINK",
     "the kernel's netlink interfaces can be reached"},
    {Word::shared_tmp, "shared_tmp", &config::Sandbox::shared_tmp, "PrivateTmp=no",
     "handlers share /tmp with everybody on this host, and what they leave there stays"},
    // RestrictSUIDSGID= bars openat2, with which bwrap opens what it binds.
    {Word::namespaces, "namespaces", &config::Sandbox::namespaces,
     "RestrictNamespaces=user mnt pid net ipc uts\nSystemCallFilter=@mount @setuid chroot pivot_root capset "
     "sethostname\nRestrictAddressFamilies=AF_NETLINK\nRestrictSUIDSGID=no",
     "much more of the kernel can be reached, as root of a namespace, and setuid bits can be set, as with ownership"},
};

/// A word of a unit's setting.
std::string unit_word(std::string_view text) {
    std::string word = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') word += '\\';
        word += c == '%' ? "%%" : std::string(1, c);
    }
    const bool plain = text.find_first_of(" \t'\"\\") == std::string_view::npos;
    return plain ? word.substr(1) : word + "\"";
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (true) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        if (end == text.size()) return lines;
        text.remove_prefix(end + 1);
    }
}

/// Adds `task` to the opening, which is made if it is the first.
void need(std::vector<Opening>& all, Opening opening, const std::string& task) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const Opening& one) {
        return one.word == opening.word && one.value == opening.value;
    });
    if (same != all.end()) return same->tasks.push_back(task);
    opening.tasks = {task};
    all.push_back(std::move(opening));
}

void need_home(std::vector<Opening>& all, const std::string& name, config::Home home) {
    if (home == config::Home::read_only)
        need(all,
             {Word::home,
              "read-only",
              {},
              {"ProtectHome=read-only"},
              "handlers read in /home, /root and /run/user what the account may read"},
             name);
    if (home == config::Home::read_write)
        need(all,
             {Word::home,
              "read-write",
              {},
              {"ProtectHome=no"},
              "handlers write in /home, /root and /run/user where the account may"},
             name);
}

void need_files(std::vector<Opening>& all, const std::string& name, const config::Sandbox& sandbox) {
    // "-": a path that is not there is no fault of the unit, which would not start
    for (const std::string& path : sandbox.write)
        need(all,
             {Word::write,
              path,
              {},
              {"ReadWritePaths=" + unit_word("-" + path)},
              "every handler of the pool may write there, as far as the account may"},
             name);
    for (const std::string& device : sandbox.devices)
        need(all,
             {Word::devices,
              device,
              {},
              {"PrivateDevices=no", "DevicePolicy=closed", "DeviceAllow=" + unit_word(device) + " rw"},
              "the device is opened as far as the account may (add its group: SupplementaryGroups=); the names of "
              "all others are seen"},
             name);
}

std::string list_of_tasks(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

}  // namespace

const char* const drop_in_start = "# Written by `dormouse sandbox ";

std::string Opening::text() const {
    if (word == Word::home) return "home = \"" + value + "\"";
    if (word == Word::write) return "write = [\"" + value + "\"]";
    if (word == Word::devices) return "devices = [\"" + value + "\"]";
    for (const Row& row : rows)
        if (row.word == word) return std::string(row.name) + " = true";
    return {};
}

std::vector<Opening> openings_of(const std::map<std::string, config::Task>& tasks) {
    std::vector<Opening> all;
    const bool unfiltered =
        std::any_of(tasks.begin(), tasks.end(), [](const auto& one) { return one.second.sandbox.privileges; });
    for (const Row& row : rows) {
        // after the filters are gone, a line that adds to one would be the whole of it
        const bool comes_with = unfiltered && row.word != Word::privileges && row.word != Word::shared_tmp;
        for (const auto& [name, task] : tasks)
            if (task.sandbox.*row.wanted)
                need(all,
                     {row.word, "", {}, comes_with ? std::vector<std::string>{} : lines_of(row.settings), row.cost},
                     name);
    }
    for (const config::Home home : {config::Home::read_only, config::Home::read_write})
        for (const auto& [name, task] : tasks)
            if (task.sandbox.home == home) need_home(all, name, home);
    for (const auto& [name, task] : tasks) need_files(all, name, task.sandbox);
    return all;
}

std::string drop_in_of(const std::string& pool, const std::string& file, const std::vector<Opening>& openings) {
    std::string text = drop_in_start + pool + " --install` from " + file +
                       ", which overwrites it: change that file, or add a drop-in of your own.\n[Service]\n";
    for (const Opening& one : openings) {
        text += "# task " + list_of_tasks(one.tasks) + ": sandbox." + one.text() + "; the cost: " + one.cost + "\n";
        if (one.settings.empty()) text += "# (comes with privileges)\n";
        for (const std::string& setting : one.settings) text += setting + "\n";
    }
    return text;
}

std::string drop_in_path(const std::string& pool) {
    return "/etc/systemd/system/dormouse@" + pool + ".service.d/50-sandbox.conf";
}

}  // namespace dormouse::systemd
