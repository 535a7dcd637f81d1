#include "cli/doctor.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/account.h"
#include "cli/attention.h"
#include "cli/doctor_parts.h"
#include "cli/parse_parts.h"
#include "cli/text.h"
#include "cli/version.h"

namespace dormouse::cli {
namespace {

using Json = nlohmann::ordered_json;

Colour colour_of(Grade grade) {
    switch (grade) {
        case Grade::ok:
            return Colour::green;
        case Grade::note:
            return Colour::none;
        case Grade::warning:
            return Colour::yellow;
        case Grade::failed:
            return Colour::red;
    }
    return Colour::none;
}

/// What status calls for attention.
void add_attention(Findings& findings, const Overview& overview) {
    for (Attention& one : attention(overview))
        findings.push_back({one.level == Severity::critical ? Grade::failed : Grade::warning, std::move(one.about),
                            std::move(one.text), std::move(one.remedy)});
}

/// Those of another version are called for attention.
void look_at_versions(Findings& findings, const Overview& overview) {
    const std::string own(release());
    for (const PoolSeen& pool : overview.pools)
        for (const WorkerSeen& worker : pool.workers)
            if (worker.state == "awake" && worker.version != own) return;
    findings.push_back({Grade::ok, "version", own, ""});
}

/// Pools whose worker is another account than the one as which root looks at all of them, by its name.
using Elsewhere = std::map<std::string, std::string>;
Elsewhere pools_of_other_accounts(const config::Environment& environment) {
    Elsewhere others;
    for (const std::string& pool : config::pools(environment))
        if (std::string account = account_of_pool(pool); account != worker_account)
            others.emplace(pool, std::move(account));
    return others;
}

/// What mounts hide of the spools, by pool: root alone sees it.
using Hidden = std::map<std::string, spool::Hidden>;
Hidden hidden_spools(const config::Environment& environment) {
    Hidden all;
    for (const config::LocalPool& pool : config::local_pools(environment))
        if (const auto hidden = spool::hidden_files(pool.spool_directory + "/" + pool.name); hidden)
            all.emplace(pool.name, *hidden);
    return all;
}

/// That account alone can try what its worker needs.
void leave_out(Findings& findings, Overview& overview, const Elsewhere& elsewhere) {
    std::erase_if(overview.pools, [&](const PoolSeen& pool) {
        const auto found = elsewhere.find(pool.name);
        if (found == elsewhere.end()) return false;
        findings.push_back({Grade::note, "pool " + pool.name,
                            "its worker is the account " + found->second + ", as which it is looked at by itself",
                            "dormouse doctor --pool " + pool.name});
        return true;
    });
}

/// Where pools name several, each with the pools that are its own.
void look_at_databases(Findings& findings, const Overview& of_machine, const DatabaseOptions& options,
                       const config::Environment& environment) {
    const std::vector<PoolsDatabase> all = databases_meant(options, environment);
    std::vector<std::string> first_pools{options.pool};
    if (options.pool.empty() && all.size() > 1) {
        first_pools.clear();
        for (const PoolsDatabase& one : all) first_pools.push_back(one.pools.front());
    }
    for (const std::string& pool : first_pools) {
        Overview overview = of_machine;
        leave_out_others(overview, pool, all);
        DatabaseOptions here = options;
        here.pool = pool;
        Findings found;
        look_at_database(found, overview, here);
        look_at_versions(found, overview);
        add_attention(found, overview);
        for (Finding& one : found) {
            if (all.size() > 1 && options.pool.empty() && !one.about.starts_with("pool "))
                one.about = "database of " + pool + ": " + one.about;
            if (std::ranges::find(findings, one) == findings.end()) findings.push_back(std::move(one));
        }
    }
}

Findings look(const DoctorOptions& options, const config::Environment& environment, const Elsewhere& elsewhere,
              const Hidden& hidden) {
    Findings findings;
    Overview overview = overview_of_this_machine(environment);
    for (PoolSeen& pool : overview.pools)
        if (const auto found = hidden.find(pool.name); found != hidden.end()) pool.hidden = found->second;
    leave_out(findings, overview, elsewhere);
    const std::string& only = options.database.pool;
    if (!only.empty()) std::erase_if(overview.pools, [&](const PoolSeen& pool) { return pool.name != only; });
    if (overview.pools.empty() && elsewhere.empty())
        findings.push_back({only.empty() ? Grade::note : Grade::failed, only.empty() ? "pools" : "pool " + only,
                            "there is no file for it in " + config::directory(environment), "sudo dormouse setup"});
    for (const PoolSeen& pool : overview.pools) look_at_pool(findings, pool.name, environment);
    look_at_units(findings, overview);
    look_at_databases(findings, overview, options.database, environment);
    return findings;
}

}  // namespace

void print_lines(const Findings& findings) {
    constexpr std::size_t column = 9;
    for (const Finding& one : findings) {
        const std::string grade = to_string(one.grade);
        print(paint(colour_of(one.grade), grade) + std::string(column - grade.size(), ' ') + escaped(one.about) + ": " +
              escaped(one.text) + (one.remedy.empty() ? "" : "; " + escaped(one.remedy)) + "\n");
    }
}

bool is_well(const Findings& findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const Finding& one) { return one.grade >= Grade::warning; });
}

void print_json(const Findings& findings, const std::string& text) {
    Json document = Json::parse(text);
    document["findings"] = Json::array();
    for (const Finding& one : findings)
        document["findings"].push_back({{"grade", to_string(one.grade)},
                                        {"about", one.about},
                                        {"text", one.text},
                                        {"remedy", one.remedy.empty() ? Json(nullptr) : Json(one.remedy)}});
    print(safe_json(document.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n");
}

namespace {

Outcome examine(const DoctorOptions& options, const Elsewhere& elsewhere, const Hidden& hidden) {
    if (!options.idle.empty()) return examine_idle(options);
    const Findings findings = look(options, config::of_process(), elsewhere, hidden);
    const bool well = is_well(findings);
    options.json ? print_json(findings, well ? R"({"ok": true})" : R"({"ok": false})") : print_lines(findings);
    return well ? Exit::ok : Exit::attention;
}

}  // namespace

const char* to_string(Grade grade) {
    switch (grade) {
        case Grade::ok:
            return "ok";
        case Grade::note:
            return "note";
        case Grade::warning:
            return "warning";
        case Grade::failed:
            return "failed";
    }
    return "";
}

int doctor(const DoctorOptions& options) {
    if (!acts_for_account()) return finish(examine(options, {}, {}));
    const std::string& only = options.database.pool;
    const Elsewhere elsewhere = only.empty() ? pools_of_other_accounts(config::of_process()) : Elsewhere{};
    const Hidden hidden = hidden_spools(config::of_process());
    const auto code = in_account(account_of_pool(only), [&] { return finish(examine(options, elsewhere, hidden)); });
    return code ? *code : finish(tl::unexpected(code.error()));
}

}  // namespace dormouse::cli
