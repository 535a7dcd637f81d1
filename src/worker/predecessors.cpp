#include "worker/predecessors.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "base/process.h"
#include "spool/file.h"

namespace dormouse::worker {
namespace {

constexpr const char* instance_name = "instance";
constexpr const char* workers_name = "workers";
constexpr std::int64_t most_bytes = 64 << 10;
constexpr int most_in_foreground = 64;

std::string text_of(int directory, const std::string& name) {
    auto content = spool::read_file(directory, name, most_bytes);
    return content ? content->text : "";
}

/// Whoever is killed in between leaves lines of before behind the new ones: workers whose runs are looked for once
/// more.
bool replace(int directory, const std::string& name, const std::string& text) {
    const UniqueFd file(
        ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    return file.valid() && ::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
           ::ftruncate(file.get(), static_cast<off_t>(text.size())) == 0;
}

/// The directory with its lock; none: it cannot be opened, or somebody holds it.
UniqueFd locked(const std::string& path) {
    UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) return {};
    return directory;
}

UniqueFd first_free(const std::string& state_directory) {
    for (int i = 1; i <= most_in_foreground; ++i) {
        const std::string path = state_directory + "/worker-" + std::to_string(i);
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return {};
        if (UniqueFd directory = locked(path); directory.valid()) return directory;
    }
    return {};
}

std::string inode_of(int directory) {
    struct stat about{};
    if (::fstat(directory, &about) != 0) return "none";
    return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
}

}  // namespace

Predecessors::Predecessors(const std::string& state_directory, store::Identity& who, Of of) {
    if (!state_directory.empty() && (of == Of::foreground || !who.unit.empty()))
        take(of == Of::unit ? locked(state_directory) : first_free(state_directory), who, of);
    arrive(who);
}

Predecessors::Predecessors(UniqueFd directory, store::Identity& who, const std::vector<Uuid>& living) : alive_(living) {
    take(std::move(directory), who, Of::unit);
    arrive(who);
}

void Predecessors::take(UniqueFd directory, store::Identity& who, Of of) {
    if (!directory.valid()) return;
    auto instance = Uuid::parse(text_of(directory.get(), instance_name).substr(0, 36));
    if (!instance) {
        instance = Uuid::random();
        if (!replace(directory.get(), instance_name, instance->to_string() + "\n")) return;
    }
    instance_ = *instance;
    directory_ = std::move(directory);
    place_ = who.boot_id.to_string() + " " +
             (of == Of::unit ? std::to_string(this_pid_namespace()) : inode_of(directory_.get())) + " " +
             instance->to_string() + " " + (of == Of::unit ? who.unit : "foreground");

    std::istringstream lines(text_of(directory_.get(), workers_name));
    for (std::string line; std::getline(lines, line);) {
        const auto worker = Uuid::parse(line.substr(0, 36));
        const bool lives = worker && std::find(alive_.begin(), alive_.end(), *worker) != alive_.end();
        if (worker && !lives && line.size() > 37 && line.substr(37) == place_) dead_.push_back(*worker);
    }
}

void Predecessors::arrive(store::Identity& who) {
    if (instance_) who.instance_id = *instance_;
    alive_.push_back(who.id);
    write();
}

void Predecessors::give_away() {
    directory_.reset();
    alive_.clear();
    dead_.clear();
}

void Predecessors::settled(const std::vector<Uuid>& dead) {
    for (const Uuid& worker : dead) std::erase(dead_, worker);
    write();
}

void Predecessors::leave(const Uuid& worker) {
    std::erase(alive_, worker);
    write();
}

void Predecessors::died(const Uuid& worker) {
    if (std::erase(alive_, worker) > 0) dead_.push_back(worker);
}

/// A file that cannot be written, or is lost with the host, costs the wait for a lease and nothing else.
void Predecessors::write() const {
    if (!directory_.valid()) return;
    std::string text;
    for (const auto* workers : {&dead_, &alive_})
        for (const Uuid& worker : *workers) text += worker.to_string() + " " + place_ + "\n";
    static_cast<void>(replace(directory_.get(), workers_name, text));
}

}  // namespace dormouse::worker
