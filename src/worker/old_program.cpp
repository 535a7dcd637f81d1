#include "worker/old_program.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "worker/new_program.h"

namespace dormouse::worker {

using nlohmann::json;

std::unique_ptr<Inheritance> take_inheritance() {
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(0, &names);
    auto found = std::make_unique<Inheritance>();
    for (int i = 0; i < count; ++i) {
        const int fd = SD_LISTEN_FDS_START + i;
        const std::string_view name = names[i];  // NOLINT: an array of count texts
        if (name == channel_name && sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 0) > 0) found->channel.reset(fd);
        if (name == state_name) found->state_directory.reset(fd);
        std::free(names[i]);  // NOLINT
    }
    if (count > 0) std::free(names);  // NOLINT
    return found->channel.valid() ? std::move(found) : nullptr;
}

OldProgram::OldProgram(loop::Loop& loop, UniqueFd channel, Listeners listeners)
    : listeners_(std::move(listeners)),
      channel_(loop, std::move(channel), [this](const auto& message) { on_message(message); }) {}

void OldProgram::ready() const {
    channel_.say(R"({"ready": true})");
}

void OldProgram::refuse(const std::string& why) const {
    channel_.say(json{{"refused", why}}.dump(-1, ' ', true, json::error_handler_t::replace));
}

void OldProgram::terminate() const {
    channel_.say(R"({"terminate": true})");
}

void OldProgram::on_message(const std::optional<std::string>& message) {
    const Listeners listeners = listeners_;
    const auto said = json::parse(message.value_or(R"({"gone": {}})"), nullptr, false);
    if (!said.is_object()) return;
    if (const auto last = said.find("gone"); last != said.end()) {
        Gone gone{last->value("clean", false), std::nullopt};
        if (last->contains("due") && last->at("due").is_number()) gone.due = Millis{last->at("due").get<Millis::rep>()};
        return listeners.on_gone(gone);
    }
    if (said.contains("metrics")) return listeners.on_metrics(said.value("metrics", ""));
    if (said.contains("at_work")) at_work_ = said["at_work"].get<std::map<std::string, int>>();
    if (!said.contains("take")) return listeners.on_room();
    for (const std::string text : said["take"])
        if (const auto id = Uuid::parse(text)) workers_.push_back(*id);
    pid_ = said.value("pid", 0);
    has_given_ = true;
    listeners.on_take();
}

}  // namespace dormouse::worker
