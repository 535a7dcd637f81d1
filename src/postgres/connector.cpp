#include "postgres/connector.h"

#include <vector>

#include "postgres/sqlstate.h"
#include "postgres/tls.h"

namespace dormouse::postgres {
namespace {

std::string describe(const Endpoint& place) {
    const std::string port = place.port.empty() ? "5432" : place.port;
    if (place.host.empty() && place.address.empty()) return "the local socket, port " + port;
    if (place.address.empty() || place.address == place.host) return place.host + " port " + port;
    return (place.host.empty() ? "" : place.host + " ") + "[" + place.address + "] port " + port;
}

}  // namespace

Error connect_error(const PGconn* connection, const std::string& where) {
    Error error = from_connection(connection, "cannot connect to " + where);
    error.message += tls_hint(error.message);
    if (const auto location = error.message.find(" LOCATION:"); location != std::string::npos)
        error.message.erase(location);
    return error;
}

Connector::Connector(loop::Loop& loop, Target target, Millis deadline, Done done)
    : loop_(loop),
      options_(std::move(target.options)),
      places_(target.places.begin(), target.places.end()),
      deadline_(deadline),
      done_(std::move(done)),
      timer_(loop, "connect_deadline") {
    timer_.once(Millis{0}, [this] { next(); });  // never from inside the constructor
}

void Connector::next() {
    poll_.reset();
    connection_.reset();
    if (places_.empty()) {
        finish(tl::unexpected(last_error_.value_or(Error{ErrorKind::invalid, "database.url names no host"})));
        return;
    }
    const Endpoint place = places_.front();
    places_.pop_front();
    where_ = describe(place);
    timer_.once(deadline_, [this] {
        resolve_.reset();
        attempt_failed(Error{ErrorKind::transient, "cannot connect to " + where_ + ": no answer within " +
                                                       std::to_string(deadline_.count()) +
                                                       " ms (database.connect_timeout)"});
    });
    needs_resolving(place) ? resolve(place) : attempt(place);
}

void Connector::resolve(const Endpoint& place) {
    resolve_.emplace(loop_, place.host, [this, place](Result<std::vector<std::string>> addresses) {
        resolve_.reset();
        if (!addresses) {
            attempt_failed(addresses.error());
            return;
        }
        for (auto address = addresses->rbegin(); address != addresses->rend(); ++address)
            places_.push_front(Endpoint{place.host, *address, place.port});
        next();
    });
}

void Connector::attempt(const Endpoint& place) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    const auto add = [&](const char* key, const std::string& value) {
        if (value.empty()) return;
        keywords.push_back(key);
        values.push_back(value.c_str());
    };
    for (const auto& [key, value] : options_) add(key.c_str(), value);
    add("host", place.host);
    add("hostaddr", place.address);
    add("port", place.port);
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (!connection_) {
        attempt_failed(Error{ErrorKind::transient, "cannot connect: out of memory"});
        return;
    }
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);  // puts the SQLSTATE into the message
    if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        attempt_failed(connect_error(connection_.get(), where_));
        return;
    }
    wait_for_socket(PGRES_POLLING_WRITING);
}

void Connector::wait_for_socket(PostgresPollingStatusType wanted) {
    poll_ = std::make_unique<loop::Poll>(loop_, PQsocket(connection_.get()), "connection");
    poll_->watch(wanted == PGRES_POLLING_READING ? loop::Poll::readable : loop::Poll::writable, [this](int) {
        advance();
        return loop::Poll::Did::something;
    });
}

void Connector::advance() {
    poll_.reset();  // PQconnectPoll may close the socket and open another one
    switch (const auto status = PQconnectPoll(connection_.get())) {
        case PGRES_POLLING_READING:
        case PGRES_POLLING_WRITING:
            wait_for_socket(status);
            return;
        case PGRES_POLLING_OK:
            PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
            finish(std::move(connection_));
            return;
        default:
            attempt_failed(connect_error(connection_.get(), where_));
    }
}

void Connector::attempt_failed(Error error) {
    last_error_ = std::move(error);
    poll_.reset();
    timer_.once(Millis{0}, [this] { next(); });
}

void Connector::finish(Result<ConnectionPtr> result) {
    timer_.stop();
    const auto call = std::move(done_);
    call(std::move(result));
}

}  // namespace dormouse::postgres
