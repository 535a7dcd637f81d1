#include "support/pool_bench.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "config/load.h"
#include "worker/identity.h"

namespace dormouse::testing {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

/// What only a mistake of ours makes a worker say: no test may pass over it.
void fail_on_mistakes(log::Level, std::string_view event, std::string_view text, std::initializer_list<log::Field>) {
    if (event == "empty_wish") BOOST_ERROR(std::string(event) + ": " + std::string(text));
}

}  // namespace

UniqueFd listen_at(const std::string& path) {
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 4'096) != 0)
        throw std::runtime_error("cannot listen at " + path);
    return listener;
}

bool ring_at(const std::string& path) {
    const UniqueFd ringer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path);
    return ::connect(ringer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool process_lives(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return false;
    const auto name_end = line.rfind(')');
    return name_end != std::string::npos && line.substr(name_end + 2, 1) != "Z";
}

PoolTasks::PoolTasks() {
    const std::string& here = directory();
    script("hold", "trap 'exit 143' TERM\necho $$ >>" + here + "/processes\necho $DORMOUSE_RUN_ID >>" + here +
                       "/started\nread -r code <" + here + "/gate\nexit ${code:-0}\n");
    script("stubborn", "trap '' TERM\necho $$ >>" + here + "/processes\necho $DORMOUSE_RUN_ID >>" + here +
                           "/started\nread -r code <" + here + "/gate\nexit ${code:-0}\n");
    script("later",
           "[ -e " + here + "/later.$DORMOUSE_RUN_ID ] && exit 0\n: >" + here + "/later.$DORMOUSE_RUN_ID\nexit 75\n");
    if (::mkfifo((here + "/gate").c_str(), 0666) != 0) throw std::runtime_error("mkfifo failed");
    gate_.reset(::open((here + "/gate").c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
}

void PoolTasks::script(const std::string& name, const std::string& text) const {
    const std::string path = directory() + "/" + name;
    write_text(path, "#!/bin/sh\n" + text);
    ::chmod(path.c_str(), 0755);
}

std::string PoolTasks::toml() const {
    const auto table = [](const std::string& name, const std::string& command, const std::string& rest) {
        return "[task." + name + "]\nhandler = \"exec\"\ncommand = [" + command + "]\n" + rest + "\n";
    };
    const auto file = [this](const std::string& name) { return "\"" + directory() + "/" + name + "\""; };
    const std::string at_once = "backoff = { base = \"1ms\", max = \"1ms\" }";
    return table("echo", "\"/bin/cat\"", "") +
           table("fail", R"("/bin/sh", "-c", "echo the reason >&2; exit 3")", at_once + "\nmax_attempts = 2") +
           table("later", file("later"), at_once) + table("hold", file("hold"), at_once) +
           table("stubborn", file("stubborn"), at_once) + table("ghost", file("ghost"), "");
}

void PoolTasks::release(int exit_code) const {
    const std::string line = std::to_string(exit_code) + "\n";
    if (::write(gate_.get(), line.data(), line.size()) < 0) throw std::runtime_error("the gate is full");
}

void PoolTasks::make_ghost() const {
    script("ghost", "exit 0\n");
}

std::vector<std::string> PoolTasks::lines(const std::string& name) const {
    std::vector<std::string> all;
    std::ifstream file(directory() + "/" + name);
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
}

std::vector<std::string> PoolTasks::started() const {
    return lines("started");
}

std::vector<int> PoolTasks::processes() const {
    std::vector<int> ids;
    for (const std::string& line : lines("processes")) ids.push_back(std::stoi(line));
    return ids;
}

std::string pool_toml(const std::string& url, const PoolBenchOptions& options, const PoolTasks& tasks) {
    return "[database]\nurl = \"" + url + "\"\n" + options.database + "\n[worker]\n" + options.worker + "\n" +
           tasks.toml() + options.rest + "\n";
}

PoolBench::PoolBench(const std::string& url, const PoolBenchOptions& options, const PoolTasks* tasks)
    : log_(log::Level::info, fail_on_mistakes),
      own_tasks_(tasks == nullptr ? std::make_unique<PoolTasks>() : nullptr),
      tasks_(tasks == nullptr ? own_tasks_.get() : tasks),
      bell_(directory_.path() + "/bell"),
      file_(directory_.path() + "/bench.toml") {
    loop_.turns().on_idle([](const std::string& timers) { BOOST_ERROR("the loop turns for nothing: " + timers); });
    write_text(file_, pool_toml(url, options, *tasks_));
    config::Sources sources;
    sources.pool = "bench";
    sources.file = file_;
    auto loaded = config::load(sources);
    if (!loaded) throw std::runtime_error(loaded.error().message);
    config_ = std::move(loaded->config);
    config_.paths.spool_directory = directory_.path();
    config_.paths.wake_directory = directory_.path() + "/wake";
    ::mkdir(config_.paths.wake_directory.c_str(), 0777);
    ::mkdir(spool().c_str(), 0770);  // the worker makes it on another thread, and cases put files there at once
    std::vector<UniqueFd> listeners;
    listeners.push_back(listen_at(bell_));
    doorbell_ = std::make_unique<worker::Doorbell>(loop_, std::move(listeners));
    handlers_ = std::make_unique<handlers::Handlers>(loop_, config_.tasks, config_.limits);
    worker::Circumstances circumstances;
    circumstances.identity = worker::make_identity(config_, {});
    id_ = circumstances.identity.id;
    if (!options.state_directory.empty()) circumstances.identity.unit = "bench.service";
    predecessors_ = std::make_unique<worker::Predecessors>(options.state_directory, circumstances.identity);
    circumstances.predecessors = predecessors_.get();
    circumstances.second_session_at = options.second_session_at;
    circumstances.first_connect_delay = options.first_connect_delay;
    circumstances.owns_spool = worker::SpoolOwner::unit;
    circumstances.environment = options.environment;
    circumstances.promise = options.promise;
    circumstances.leaves_when_idle = options.leaves_when_idle;
    circumstances.on_room = [] {};
    circumstances.on_gone = [this](const worker::Farewell& farewell) { farewell_ = farewell; };
    worker_ = std::make_unique<worker::Worker>(loop_, config_, *doorbell_, *handlers_, std::move(circumstances));
    doorbell_->answer([this] { worker_->rung(); });
    doorbell_->use_wake_file(wake_file());
    if (options.starts) worker_->start();
}

PoolBench::~PoolBench() = default;

std::string PoolBench::spool() const {
    return config_.paths.spool_directory + "/bench";
}

std::string PoolBench::wake_file() const {
    return config_.paths.wake_directory + "/bench";
}

void PoolBench::ring() const {
    if (!ring_at(bell_)) throw std::runtime_error("nobody answers at " + bell_);
}

bool PoolBench::until(const std::function<bool()>& happened, Millis deadline) {
    const auto end = BootClock::now() + deadline;
    loop::Timer tick(loop_, "test.tick");
    tick.every(Millis{5}, [] {});
    while (!happened()) {
        if (BootClock::now() > end) return false;
        loop_.turn();
    }
    return true;
}

bool PoolBench::until_idle() {
    return until([this] { return worker_->state() == worker::State::idle; });
}

bool PoolBench::until_gone() {
    return until([this] { return farewell_.has_value(); });
}

int PoolBench::turns_within(Millis time) {
    bool over = false;
    loop::Timer end(loop_, "test.end");
    end.once(time, [&] { over = true; });
    int turns = 0;
    for (; !over; ++turns) loop_.turn();
    return turns;
}

}  // namespace dormouse::testing
