#include "support/bare_database.h"

#include <csignal>
#include <fstream>

#include "support/cluster.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

namespace dormouse::testing {

const char* const the_embed_binary = embed_binary;
const char* const the_example_binary = example_binary;
const char* const the_dormouse_binary = dormouse_binary;

boost::test_tools::assertion_result postgres_is_here(boost::unit_test::test_unit_id id) {
    return has_postgres(id);
}

struct BareDatabase::Impl {
    TestDatabase database;
    TemporaryDirectory directory;
    int files = 0;
};

BareDatabase::BareDatabase() : impl_(std::make_unique<Impl>()) {}
BareDatabase::~BareDatabase() = default;

std::string BareDatabase::value(const std::string& sql) {
    return impl_->database.value(sql);
}

std::string BareDatabase::enqueue(const std::string& task, const std::string& payload) {
    return impl_->database.value("SELECT dormouse.enqueue($1, $2::jsonb)", {task, payload});
}

std::string BareDatabase::run(const std::string& id, const std::string& column) {
    return value("SELECT " + column + " FROM dormouse.runs WHERE id = '" + id + "'");
}

std::string BareDatabase::file(const std::string& toml) {
    const std::string path = impl_->directory.path() + "/" + std::to_string(++impl_->files) + ".toml";
    std::ofstream(path) << "[paths]\nspool_directory = \"" + impl_->directory.path() + "\"\nwake_directory = \"" +
                               impl_->directory.path() + "\"\n[database]\nurl = \"" + impl_->database.url() + "\"\n" +
                               toml;
    return path;
}

bool soon(const std::function<bool()>& happened) {
    return eventually(happened);
}

struct Outside::Impl {
    explicit Impl(Program program) : process(std::move(program)) {}
    Process process;
};

Outside::Outside(std::vector<std::string> argv)
    : impl_(std::make_unique<Impl>(Program{std::move(argv), {}, {}, {}, Millis{60'000}})) {}
Outside::~Outside() = default;

bool Outside::said(const std::string& text) {
    return impl_->process.saw_error(text);
}

void Outside::terminate() {
    impl_->process.signal(SIGTERM);
}

int Outside::wait() {
    Ended ended = impl_->process.wait();
    errors = ended.err;
    return ended.exit_code;
}

}  // namespace dormouse::testing
