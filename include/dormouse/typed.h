// Payloads and results as values of your own types, by nlohmann-json's conversions (from_json and to_json, most easily
// with NLOHMANN_DEFINE_TYPE_…). The only header here that needs nlohmann-json; programs that do not use it include only
// worker.h.
//
// An error in a payload is located here and not by JSON_DIAGNOSTICS: that macro makes every JSON value of the program
// larger and must be the same in all of its files. Instead, when a conversion fails, it is repeated with one value
// after another replaced by `binary`, a type that no payload has, until the message names `binary` instead of the type
// found before. Only bad payloads pay for that, at most 200 ms.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dormouse/worker.h"

namespace dormouse {

/// A value as JSON text. Bytes that are not valid UTF-8 become U+FFFD.
template <typename Value>
std::string json_of(const Value& value) {
    return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename Value>
Result Result::completed(const Value& value) {
    return json(json_of(value));
}

namespace detail {

/// The error of a conversion of a document; empty if it succeeds.
using Trial = std::function<std::string(const nlohmann::json&)>;

/// Every place below `node`, in the order of the document.
inline void add_places(const nlohmann::json& node, const nlohmann::json::json_pointer& place,
                       std::vector<nlohmann::json::json_pointer>& into) {
    into.push_back(place);
    if (node.is_object())
        for (const auto& [name, value] : node.items()) add_places(value, place / name, into);
    if (node.is_array())
        for (std::size_t i = 0; i < node.size(); ++i) add_places(node[i], place / i, into);
}

inline std::string between(const std::string& text, const std::string& before, const std::string& after) {
    const auto begin = text.find(before);
    if (begin == std::string::npos) return {};
    const auto start = begin + before.size();
    return text.substr(start, after.empty() ? std::string::npos : text.find(after, start) - start);
}

/// The meaning of the library's message: what was found, or which member is missing.
struct Fault {
    std::string found;    ///< a type: "string"
    std::string missing;  ///< a member's name
    std::string text;     ///< for people
};

inline Fault read_fault(const std::string& message) {
    Fault fault;
    fault.text = message.starts_with("[json.exception.") ? between(message, "] ", "") : message;
    if (const std::string found = between(message, ", but is ", ""); !found.empty()) {
        const std::string expected = between(message, "must be ", ", but is ");
        fault.found = found;
        fault.text = "expected " + expected + ", found " + found;
    } else if (message.find("cannot use ") != std::string::npos) {
        fault.found = message.substr(message.rfind(' ') + 1);
        fault.text = "expected object, found " + fault.found;
    } else if (message.find("json.exception.out_of_range.403") != std::string::npos) {
        fault.missing = between(message, "key '", "' not found");
        fault.text = "is missing";
    }
    return fault;
}

/// The location of the error that `trial` reports for `payload`, and what it is.
inline std::string explain(nlohmann::json payload, const Trial& trial) {
    using nlohmann::json;
    const std::string message = trial(payload);
    const Fault fault = read_fault(message);
    std::vector<json::json_pointer> places;
    if (!fault.found.empty() || !fault.missing.empty()) add_places(payload, json::json_pointer(), places);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
    const auto said = [&fault](const json::json_pointer& place) {
        return (place.empty() ? std::string("payload") : place.to_string()) + ": " + fault.text;
    };
    for (const json::json_pointer& place : places) {
        if (std::chrono::steady_clock::now() > end) return fault.text + " (where is not known: the payload is large)";
        json& node = payload[place];
        if (!fault.missing.empty()) {
            if (!node.is_object() || node.contains(fault.missing)) continue;
            node[fault.missing] = json::binary({});
            const bool here = trial(payload) != message;
            payload[place].erase(fault.missing);
            if (here) return said(place / fault.missing);
        } else if (node.type_name() == fault.found) {
            json kept = std::exchange(node, json::binary({}));
            std::string expected = message;
            expected.replace(expected.rfind(fault.found), fault.found.size(), "binary");
            const bool here = trial(payload) == expected;
            payload[place] = std::move(kept);
            if (here) return said(place);
        }
    }
    return fault.text;
}

template <typename Payload>
std::string explain_payload(const nlohmann::json& payload) {
    return explain(payload, [](const nlohmann::json& document) -> std::string {
        try {
            static_cast<void>(document.get<Payload>());
            return {};
        } catch (const std::exception& error) {
            return error.what();
        }
    });
}

template <typename Callable, typename Payload>
Result call(const Callable& function, Run& run, Payload&& payload) {
    using Returned = std::invoke_result_t<const Callable&, Run&, Payload>;
    if constexpr (std::is_void_v<Returned>) {
        std::invoke(function, run, std::forward<Payload>(payload));
        return Result::completed();
    } else if constexpr (std::is_same_v<std::remove_cvref_t<Returned>, Result>) {
        return std::invoke(function, run, std::forward<Payload>(payload));
    } else {
        return Result::completed(std::invoke(function, run, std::forward<Payload>(payload)));
    }
}

}  // namespace detail

template <typename Payload, typename Callable>
void Worker::task(const std::string& name, Callable function) {
    task(name, Function([function = std::move(function)](Run& run) -> Result {
             nlohmann::json document = nlohmann::json::parse(run.payload(), nullptr, false);
             if (document.is_discarded()) return Result::failed("bad_payload", "the payload is not JSON", true);
             std::optional<Payload> payload;
             try {
                 payload = document.get<Payload>();
             } catch (const std::exception&) {
                 return Result::failed("bad_payload", detail::explain_payload<Payload>(document), true);
             }
             document = nullptr;
             return detail::call(function, run, std::move(*payload));
         }));
}

}  // namespace dormouse
