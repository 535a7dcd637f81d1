#include "config/describe.h"

#include "config/options.h"
#include "config/tasks.h"
#include "config/text.h"

namespace dormouse::config {

namespace {

std::string origin_of(const Loaded& loaded, const std::string& name) {
    const auto found = loaded.origins.find(name);
    return found == loaded.origins.end() ? "default" : found->second;
}

std::string entry(const std::string& name, const Key& key, const std::string& more) {
    const std::string standard = key.fallback.empty() ? "none" : std::string(key.fallback);
    return name + "\n    " + std::string(key.help) + "\n    Takes " + expected(key) + ". Default: " + standard + ".\n" +
           more + "\n";
}

}  // namespace

std::vector<SettingRow> describe(const Loaded& loaded) {
    Config config = loaded.config;  // a slot is a place to write to, so it wants one that may be written
    std::vector<SettingRow> rows;
    for (const Option& option : options()) {
        const std::string name(option.key.name);
        rows.push_back(
            {name, shown(option.key, option.slot(config)), origin_of(loaded, name), std::string(option.key.help)});
        if (name == "database.url" && !config.database.passfile.empty())
            rows.push_back({"database.passfile", config.database.passfile, origin_of(loaded, "database.passfile"),
                            "The passwords that systemd handed to the unit (LoadCredential=pgpass:PATH)."});
    }
    for (auto& [name, task] : config.tasks) {
        for (const TaskKey& known : task_keys()) {
            const std::string full = "task." + name + "." + std::string(known.key.name);
            rows.push_back(
                {full, shown(known.key, known.slot(task)), origin_of(loaded, full), std::string(known.key.help)});
        }
    }
    return rows;
}

std::string reference() {
    std::string text;
    for (const Option& option : options()) {
        std::string names;
        for (const std::string& name : environment_names(option)) names += (names.empty() ? "" : ", ") + name;
        text += entry(std::string(option.key.name), option.key, "    Environment: " + names + "\n");
    }
    for (const TaskKey& known : task_keys()) text += entry("task.NAME." + std::string(known.key.name), known.key, "");
    return text;
}

}  // namespace dormouse::config
