#include "support/cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "postgres/migrator.h"
#include "sql/embedded.h"
#include "support/paths.h"
#include "support/process.h"

namespace dormouse::testing {

namespace {

constexpr const char* release = "0.1.0";
constexpr const char* template_name = "dormouse_template";

[[noreturn]] void give_up(const std::string& what) {
    throw std::runtime_error(what);
}

void require(const Status& status) {
    if (!status) give_up(status.error().message);
}

/// The directory of initdb and postgres; empty if there is none.
std::string find_binaries() {
    namespace fs = std::filesystem;
    std::vector<std::string> places;
    if (const char* const chosen = std::getenv("DORMOUSE_POSTGRES"); chosen != nullptr) places.emplace_back(chosen);
    // the newest that the distribution has
    std::map<int, std::string, std::greater<>> installed;
    std::error_code none;
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none))
        installed[std::atoi(version.path().filename().c_str())] = version.path().string() + "/bin";
    for (const auto& [version, place] : installed) places.push_back(place);
    const Ended asked = run({{"pg_config", "--bindir"}, {}, {}, {}});
    if (asked.exit_code == 0) places.push_back(asked.out.substr(0, asked.out.find('\n')));
    std::istringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
    for (std::string place; std::getline(path, place, ':');) places.push_back(place);
    for (const std::string& place : places)
        if (fs::exists(place + "/initdb") && fs::exists(place + "/postgres")) return place;
    return {};
}

const std::string& binaries() {
    static const std::string found = find_binaries();
    return found;
}

/// Postgres refuses to run as root.
const passwd* unprivileged() {
    if (::geteuid() != 0) return nullptr;
    for (const char* const name : {"postgres", "nobody"})
        if (const passwd* const user = ::getpwnam(name); user != nullptr) return user;
    return nullptr;
}

std::vector<std::string> as_unprivileged(std::vector<std::string> command) {
    const passwd* const user = unprivileged();
    if (user == nullptr) return command;
    std::vector<std::string> whole{"setpriv", "--reuid=" + std::to_string(user->pw_uid),
                                   "--regid=" + std::to_string(user->pw_gid), "--clear-groups", "--"};
    whole.insert(whole.end(), command.begin(), command.end());
    return whole;
}

int free_port() {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        give_up("no free port on the loopback");
    return ntohs(address.sin_port);
}

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

/// What initdb makes takes a second of processor time, and is the same for each test: the first one leaves a copy
/// beside the programs.
std::string new_cluster() {
    std::string name = binaries();
    std::replace(name.begin(), name.end(), '/', '-');
    return (std::filesystem::path(dormouse_binary).parent_path() / ("cluster" + name)).string();
}

bool copy_new_cluster(const std::string& data) {
    if (!std::filesystem::exists(new_cluster())) return false;
    if (run({{"cp", "-a", new_cluster(), data}, {}, {}, {}, Millis{120'000}}).exit_code == 0) return true;
    std::filesystem::remove_all(data);  // half of it, which is root's
    return false;
}

void keep_new_cluster(const std::string& data) {
    const std::string own = new_cluster() + "." + std::to_string(::getpid());
    std::error_code taken;  // somebody else was quicker: a directory that is not empty is not replaced
    if (run({{"cp", "-a", data, own}, {}, {}, {}}).exit_code == 0) std::filesystem::rename(own, new_cluster(), taken);
    std::error_code ignored;
    std::filesystem::remove_all(own, ignored);
}

/// Started with the data directory; stops the server when its stdin closes, and then goes. It is the server's
/// parent, so that a test that is killed takes its server along.
constexpr const char* keeper_script =
    "trap '' INT TERM HUP\n"
    "\"$@\" >>\"$DIRECTORY/log\" 2>&1 </dev/null & server=$!\n"
    "read -r word\n"
    "[ \"$word\" != KILL ] || children=$(cat /proc/$server/task/$server/children)\n"
    "kill -\"${word:-INT}\" $server $children 2>/dev/null\n"
    "wait $server\n"
    "[ -n \"$word\" ] || rm -rf -- \"$DIRECTORY\"\n";

}  // namespace

std::string why_no_postgres() {
    if (binaries().empty()) return "there is no Postgres server on this machine: apt-get install postgresql";
    if (::geteuid() == 0 && unprivileged() == nullptr)
        return "Postgres does not run as root, and there is no user postgres or nobody";
    return {};
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "dormouse-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) give_up("mkdtemp failed for " + name);
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Cluster::Cluster(const ClusterOptions& options) : programs_(binaries()), tcp_(options.tcp) {
    std::string name = std::filesystem::temp_directory_path() / "dormouse-pg-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) give_up("mkdtemp failed for " + name);
    directory_ = name;
    socket_directory_ = directory_;
    if (const passwd* const user = unprivileged();
        user != nullptr && ::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0)
        give_up("chown failed for " + directory_);
    if (tcp_) port_ = free_port();
    initialize(options);
    start();
    auto connection = postgres::BlockingConnection::open(url("postgres"), {});
    if (!connection) give_up(connection.error().message);
    require(connection->script(
        "cluster", std::string("CREATE ROLE ") + password_user + " LOGIN SUPERUSER PASSWORD '" + password + "'"));
}

Cluster::~Cluster() {
    if (keeper_ < 0) return;
    keeper_input_.reset();
    ::waitpid(keeper_, nullptr, 0);
}

Cluster& Cluster::shared() {
    static Cluster cluster;
    return cluster;
}

void Cluster::initialize(const ClusterOptions& options) {
    const std::string data = directory_ + "/data";
    if (options.fsync || !copy_new_cluster(data)) {
        std::vector<std::string> command{binaries() + "/initdb", "--pgdata=" + data, "--username=postgres",
                                         "--auth=trust",         "--encoding=UTF8",  "--locale=C",
                                         "--no-instructions"};
        if (!options.fsync) command.emplace_back("--no-sync");
        const Ended made = run({as_unprivileged(command), {}, {}, "/", Millis{120'000}});
        if (made.exit_code != 0) give_up("initdb failed: " + made.err + made.out);
        keep_new_cluster(data);
    }
    write_file(data + "/pg_hba.conf", std::string("local all ") + password_user + " scram-sha-256\n" +
                                          "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
                                          "host all all ::1/128 scram-sha-256\n");
    std::string settings = "unix_socket_directories = '" + socket_directory_ + "'\nport = " + std::to_string(port_) +
                           "\nlisten_addresses = '" + (tcp_ ? "127.0.0.1, ::1" : "") +
                           "'\nmax_connections = 100\nshared_buffers = 32MB\nlog_min_messages = warning\n"
                           "max_prepared_transactions = 10\nautovacuum = off\n"
                           "max_locks_per_transaction = 128\n";  // a copy of all that pg_catalog has, in one statement
    if (!options.fsync) settings += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
    for (const std::string& setting : options.settings) settings += setting + "\n";
    std::ofstream(data + "/postgresql.conf", std::ios::app) << settings;
}

bool Cluster::answers() const {
    return PQping(url("postgres").c_str()) == PQPING_OK;
}

void Cluster::start() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("pipe2 failed");
    UniqueFd read_end(ends[0]);
    keeper_input_.reset(ends[1]);
    std::vector<std::string> command = as_unprivileged({programs_ + "/postgres", "-D", directory_ + "/data"});
    command.insert(command.begin(), {"/bin/sh", "-c", keeper_script, "keeper"});
    std::vector<char*> argv;
    for (std::string& text : command) argv.push_back(text.data());
    argv.push_back(nullptr);
    const std::string variable = "DIRECTORY=" + directory_;
    keeper_ = ::fork();
    if (keeper_ < 0) give_up("fork failed");
    if (keeper_ == 0) {
        // Ctrl-C is for the test, whose end is then ours. Not a session of its own: that would make it look
        // like something that a handler left behind, and a worker in this process would end it.
        ::setpgid(0, 0);
        ::dup2(read_end.get(), STDIN_FILENO);
        ::putenv(const_cast<char*>(variable.c_str()));
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    const BootClock::time_point end = BootClock::now() + std::chrono::seconds(60);
    while (!answers()) {  // the server tells nobody but its log that it is up
        if (BootClock::now() > end) give_up("Postgres does not come up: " + log());
        std::this_thread::sleep_for(Millis{10});
    }
}

void Cluster::stop() {
    static_cast<void>(::write(keeper_input_.get(), "INT\n", 4) == 4);
    ::waitpid(std::exchange(keeper_, -1), nullptr, 0);
}

void Cluster::kill() {
    static_cast<void>(::write(keeper_input_.get(), "KILL\n", 5) == 5);
    ::waitpid(std::exchange(keeper_, -1), nullptr, 0);
    std::filesystem::remove(directory_ + "/data/postmaster.pid");
}

std::string Cluster::url(const std::string& database, const std::string& user) const {
    return "postgresql://" + user + "@/" + database + "?host=" + socket_directory_ + "&port=" + std::to_string(port_);
}

std::string Cluster::tcp_url(const std::string& database) const {
    return std::string("postgresql://") + password_user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/" +
           database;
}

std::string Cluster::log() const {
    return contents(directory_ + "/log");
}

std::string Cluster::make_database(bool migrated) {
    auto server = postgres::BlockingConnection::open(url("postgres"), {});
    if (!server) give_up(server.error().message);
    if (migrated && !template_ready_) {
        require(server->script("template", std::string("CREATE DATABASE ") + template_name));
        auto connection = postgres::BlockingConnection::open(url(template_name), {});
        if (!connection) give_up(connection.error().message);
        std::vector<postgres::Migration> migrations;
        for (const sql::Migration& one : sql::migrations) migrations.push_back({one.version, one.name, one.text});
        if (const auto done = postgres::migrate(*connection, migrations, release); !done) give_up(done.error().message);
        template_ready_ = true;
    }
    const std::string name = "test_" + std::to_string(++count_);
    require(server->script("clone",
                           "CREATE DATABASE " + name + (migrated ? std::string(" TEMPLATE ") + template_name : "")));
    return name;
}

void Cluster::drop_database(const std::string& name) {
    auto server = postgres::BlockingConnection::open(url("postgres"), {});
    if (server) static_cast<void>(server->script("drop", "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"));
}

TestDatabase::TestDatabase(Schema schema, Cluster& cluster)
    : cluster_(cluster), name_(cluster.make_database(schema == Schema::migrated)) {}

TestDatabase::~TestDatabase() {
    connection_.reset();
    cluster_.drop_database(name_);
}

postgres::BlockingConnection TestDatabase::connect(const std::string& user) const {
    auto connection = postgres::BlockingConnection::open(url(user), {});
    if (!connection) give_up(connection.error().message);
    return std::move(*connection);
}

void TestDatabase::exec(const std::string& sql) {
    if (!connection_) connection_ = connect();
    require(connection_->script("test", sql));
}

std::string TestDatabase::value(const std::string& sql, const postgres::BlockingConnection::Texts& parameters) {
    if (!connection_) connection_ = connect();
    const auto reply = connection_->ask("test", sql, parameters);
    if (!reply) give_up(reply.error().message);
    return reply->rows() == 0 ? std::string() : std::string(reply->text(0, 0));
}

void apply_roles(TestDatabase& database) {
    auto connection = database.connect();
    require(postgres::apply_roles(connection, sql::roles));
}

}  // namespace dormouse::testing
