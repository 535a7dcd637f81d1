#include "handlers/refusal.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <initializer_list>

#include "base/process.h"
#include "handlers/text.h"

namespace dormouse::handlers {
namespace {

bool has(std::string_view line, std::initializer_list<std::string_view> any) {
    return std::any_of(any.begin(), any.end(), [line](std::string_view one) { return line.find(one) != line.npos; });
}

/// The word that lifts what this line tells, in lower case; empty: it tells nothing of the kind.
std::string word_for(std::string_view line, const Bars& bars, const config::Sandbox& given) {
    const bool not_permitted = has(line, {"operation not permitted", "eperm"});
    const bool denied = not_permitted || has(line, {"permission denied", "eacces"});
    if (bars.read_only && has(line, {"/home/", "/root/", "/run/user/"}) &&
        (denied || has(line, {"read-only file system", "erofs"}))) {
        if (given.home == config::Home::none) return R"(home = "read-only", and to write there: write = ["DIRECTORY"])";
        return R"(write = ["DIRECTORY"])";
    }
    if (bars.read_only && has(line, {"read-only file system", "erofs"})) return R"(write = ["DIRECTORY"])";
    if (bars.no_new_privileges && !given.privileges && has(line, {"no new privileges"})) return "privileges = true";
    if (!bars.filtered || given.privileges) return {};
    if (!given.netlink && has(line, {"address family not supported", "eafnosupport"})) return "netlink = true";
    if (!given.namespaces && has(line, {"permissions to create new namespace"})) return "namespaces = true";  // bwrap
    if (!not_permitted) return {};
    if (!given.namespaces && has(line, {"namespace", "unshare", "clone", "zygote", "mount", "chroot", "sandbox"}))
        return "namespaces = true";
    if (!given.ownership && has(line, {"chown", "chgrp", "chmod", "mkdir", "permissions", "owner", "group", "setgid"}))
        return "ownership = true";
    if (!given.priority && has(line, {"nice", "priority", "ioprio", "affinity", "setrlimit", "ulimit", "limit:"}))
        return "priority = true";
    return {};
}

/// A task that is kept from the network, whatever the unit.
bool tells_of_network(std::string_view text) {
    const bool denied =
        has(text, {"permission denied", "eacces"}) && has(text, {"connect", "socket", "bind", "listen"});
    return denied || has(text, {"name resolution", "could not resolve", "couldn't resolve", "eai_again", "getaddrinfo",
                                "unknown host", "no such host"});
}

}  // namespace

const Bars& bars_here() {
    static const Bars bars = [] {
        Bars seen;
        if (unit_of(this_process).empty()) return seen;
        struct statvfs root{};
        seen.read_only = ::statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY) != 0;
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);) {
            if (line == "NoNewPrivs:\t1") seen.no_new_privileges = true;
            if (line == "Seccomp:\t2") seen.filtered = true;
        }
        return seen;
    }();
    return bars;
}

std::string refusal_hint(std::string_view error, const Bars& bars, const config::Task& task, const std::string& pool) {
    std::string text(error);
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!task.sandbox.network && tells_of_network(text))
        return "[task." + task.name + " is kept from the network: sandbox = { network = false }]";
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const std::string word = word_for(rest.substr(0, end), bars, task.sandbox);
        if (!word.empty())
            return "[if the sandbox of the unit refused that: sandbox = { " + word + " } in [task." + task.name +
                   "], then sudo dormouse sandbox " + pool + " --install]";
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
}

void add_refusal_hint(Outcome& outcome, const config::Task& task, const std::string& pool) {
    if (outcome.kind != Outcome::failed && outcome.kind != Outcome::not_started) return;
    std::string& error = outcome.error_message;
    const std::string hint = refusal_hint(error, bars_here(), task, pool);
    if (hint.empty()) return;
    error = cut(error, error_bytes - hint.size() - 1);
    const auto first = std::min(error.find('\n'), error.size());
    error.insert(first, "\n" + hint);
}

}  // namespace dormouse::handlers
