#include "cli/wake.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/text.h"
#include "config/local_pools.h"
#include "systemd/local_rings.h"
#include "systemd/ring.h"
#include "systemd/ring_tcp.h"

namespace dormouse::cli {

namespace {

constexpr Millis tcp_deadline{5'000};

struct DoorbellTarget {
    std::string name;
    std::string path;  ///< HOST:PORT for one on another host
    std::string remedy;
    std::optional<systemd::RingAddress> endpoint;
};

Status ring(const DoorbellTarget& doorbell) {
    return doorbell.endpoint ? systemd::ring_tcp(*doorbell.endpoint, tcp_deadline) : systemd::ring(doorbell.path);
}

DoorbellTarget doorbell_for(const config::LocalPool& pool) {
    return {"pool " + pool.name, config::doorbell_of(pool), systemd::doorbell_remedy(pool.name), {}};
}

Try<std::vector<DoorbellTarget>> doorbells(const WakeOptions& options) {
    const config::Environment environment = config::of_process();
    std::vector<DoorbellTarget> found;
    if (options.all) {
        for (const config::LocalPool& pool : config::local_pools(environment)) found.push_back(doorbell_for(pool));
        if (found.empty())
            return give_up(Exit::config, "no pool to ring: there is none in " + config::directory(environment));
        return found;
    }
    for (const std::string& text : options.to) {
        auto endpoint = systemd::parse_endpoint(text);
        if (!endpoint) return give_up(Exit::usage, "--to " + endpoint.error().message);
        found.push_back({text, text,
                         "does the socket unit there have this ListenStream=, and may this host reach it "
                         "(IPAddressAllow=, firewall)?",
                         std::move(*endpoint)});
    }
    if (options.target.empty()) return found;
    if (options.target.find('/') != std::string::npos) {
        found.push_back({options.target, options.target, "is the socket unit of that pool active?", {}});
        return found;
    }
    if (const Status name = config::check_pool_name(options.target); !name)
        return give_up(Exit::usage, name.error().message);
    found.push_back(doorbell_for(config::local_pool(options.target, environment)));
    return found;
}

}  // namespace

Outcome wake(const WakeOptions& options) {
    const auto targets = doorbells(options);
    if (!targets) return tl::unexpected(targets.error());
    nlohmann::ordered_json document{{"rung", nlohmann::ordered_json::array()},
                                    {"failed", nlohmann::ordered_json::array()}};
    std::string failures;
    for (const DoorbellTarget& doorbell : *targets) {
        const Status done = ring(doorbell);
        if (done) {
            document["rung"].push_back(doorbell.path);
            if (!options.json) print("rung: " + escaped(doorbell.name) + "\n");
            continue;
        }
        document["failed"].push_back({{"doorbell", doorbell.path}, {"error", done.error().message}});
        failures += (failures.empty() ? "" : "; ") + std::string("nobody answered at ") + done.error().message + "; " +
                    doorbell.remedy;
    }
    if (options.json) print(safe_json(document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) + "\n");
    if (!failures.empty()) return give_up(Exit::nobody_answered, failures);
    return Exit::ok;
}

}  // namespace dormouse::cli
