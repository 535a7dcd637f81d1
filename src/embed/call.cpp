#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <typeinfo>

#include "base/deadline.h"
#include "embed/run_impl.h"

namespace dormouse {

struct RunMaker {
    /// Without the exceptions.
    static handlers::Outcome call(const Worker::Function& function, handlers::InProcessRun& run);
};

struct ResultReader {
    static handlers::Outcome read(Result&& result) {
        handlers::Outcome outcome;
        switch (result.kind_) {
            case Result::Kind::completed:
                outcome.kind = handlers::Outcome::completed;
                outcome.result = std::move(result.text_);
                return outcome;
            case Result::Kind::retry:
                outcome.kind = handlers::Outcome::try_again;
                if (result.delay_) outcome.retry_in = bounded(*result.delay_);
                outcome.error_class = "retry";
                break;
            case Result::Kind::failed:
                outcome.kind = handlers::Outcome::failed;
                outcome.permanent = result.permanent_;
                outcome.error_class = result.error_class_.empty() ? "failed" : std::move(result.error_class_);
                break;
        }
        outcome.error_message = std::move(result.text_);
        return outcome;
    }
};

handlers::Outcome RunMaker::call(const Worker::Function& function, handlers::InProcessRun& run) {
    Run::Impl impl{run};
    Run seen(impl);
    handlers::Outcome outcome = ResultReader::read(function(seen));
    if (outcome.kind == handlers::Outcome::completed && !impl.enqueue.empty())
        outcome.enqueue = std::move(impl.enqueue) + "]";
    return outcome;
}

namespace embed {
namespace {

std::string name_of(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                      std::free);
    return status == 0 ? name.get() : type.name();
}

handlers::Outcome thrown(std::string error_class, std::string message) {
    handlers::Outcome outcome;
    outcome.error_class = std::move(error_class);
    outcome.error_message = std::move(message);
    return outcome;
}

}  // namespace

handlers::Outcome call(const Worker::Function& function, handlers::InProcessRun& run) {
    try {
        return RunMaker::call(function, run);
    } catch (const std::exception& error) {
        return thrown(name_of(typeid(error)), error.what());
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        return thrown(type == nullptr ? "exception" : name_of(*type), "an exception that is not a std::exception");
    }
}

}  // namespace embed
}  // namespace dormouse
