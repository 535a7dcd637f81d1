#include "dormouse/worker.h"

#include <stdexcept>

#include "embed/host.h"
#include "embed/run_impl.h"

namespace dormouse {
namespace {

static_assert(static_cast<int>(log::Level::debug) == static_cast<int>(Level::debug));
static_assert(static_cast<int>(log::Level::info) == static_cast<int>(Level::info));
static_assert(static_cast<int>(log::Level::warning) == static_cast<int>(Level::warning));
static_assert(static_cast<int>(log::Level::error) == static_cast<int>(Level::error));

embed::Settings settings_of(Config config) {
    embed::Settings settings;
    settings.pool = std::move(config.pool);
    settings.file = std::move(config.file);
    settings.overrides = std::move(config.overrides);
    settings.least = static_cast<log::Level>(config.least);
    if (!config.log) return settings;
    settings.take = [take = std::move(config.log)](log::Level level, std::string_view event, std::string_view text,
                                                   std::initializer_list<log::Field> fields) {
        LogEvent told{static_cast<Level>(level), event, text, {}};
        for (const log::Field& field : fields) told.fields.emplace_back(field.name, field.value);
        take(told);
    };
    return settings;
}

}  // namespace

struct Worker::Impl {
    explicit Impl(embed::Settings settings) : host(std::move(settings)) {}

    embed::Host host;
    handlers::Functions functions = {};
    bool started = false;
};

Worker::Worker(Config config) : impl_(std::make_unique<Impl>(settings_of(std::move(config)))) {}

Worker::~Worker() = default;

void Worker::task(const std::string& name, Function function) {
    if (impl_->started) throw std::logic_error("task " + name + ": the worker was started already; register it before");
    if (!function) throw std::logic_error("task " + name + ": there is no function");
    const auto call = [function = std::move(function)](handlers::InProcessRun& run) {
        return embed::call(function, run);
    };
    if (!impl_->functions.emplace(name, call).second)
        throw std::logic_error("task " + name + " has a function already; a task has one");
}

int Worker::run() {
    impl_->started = true;
    return impl_->host.run(impl_->functions);
}

void Worker::start() {
    impl_->started = true;
    if (const std::string problem = impl_->host.start(impl_->functions); !problem.empty())
        throw std::runtime_error(problem);
}

bool Worker::stop(std::chrono::milliseconds timeout) {
    return impl_->host.stop(timeout);
}

}  // namespace dormouse
