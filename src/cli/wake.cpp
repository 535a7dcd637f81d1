#include "cli/wake.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/pools.h"
#include "systemd/ring.h"
#include "cli/text.h"

namespace dormouse::cli {

namespace {

struct Doorbell {
    std::string name;
    std::string path;
    std::string remedy;
};

Doorbell doorbell_for(const LocalPool& pool) {
    return {"pool " + pool.name, doorbell_of(pool), "systemctl enable --now dormouse@" + pool.name + ".target"};
}

Try<std::vector<Doorbell>> doorbells(const WakeOptions& options) {
    const config::Environment environment = config::of_process();
    std::vector<Doorbell> found;
    if (options.all) {
        for (const LocalPool& pool : local_pools(environment)) found.push_back(doorbell_for(pool));
        if (found.empty())
            return give_up(Exit::config, "no pool to ring: there is none in " + config::directory(environment));
        return found;
    }
    if (options.target.find('/') != std::string::npos) {
        found.push_back({options.target, options.target, "is the socket unit of that pool active?"});
        return found;
    }
    if (const Status name = config::check_pool_name(options.target); !name)
        return give_up(Exit::usage, name.error().message);
    found.push_back(doorbell_for(local_pool(options.target, environment)));
    return found;
}

}  // namespace

Outcome wake(const WakeOptions& options) {
    const auto targets = doorbells(options);
    if (!targets) return tl::unexpected(targets.error());
    nlohmann::ordered_json document{{"rung", nlohmann::ordered_json::array()},
                                    {"failed", nlohmann::ordered_json::array()}};
    std::string failures;
    for (const Doorbell& doorbell : *targets) {
        const Status done = systemd::ring(doorbell.path);
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
