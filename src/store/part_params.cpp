#include "store/part_params.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/awake.h"

namespace dormouse::store {
namespace {

using postgres::Params;
using Bigints = std::vector<std::optional<std::int64_t>>;

Bigints numbers(const std::vector<std::int64_t>& values) {
    return {values.begin(), values.end()};
}

std::optional<std::string> error_json(const Ending& ending) {
    if (ending.error_class.empty()) return std::nullopt;
    std::string message = ending.error_message;
    std::replace(message.begin(), message.end(), '\0', ' ');  // jsonb knows no NUL
    const nlohmann::json error{{"class", ending.error_class}, {"message", message}};
    return error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Endings as the columns that finish.sql and put_back.sql unnest.
struct Columns {
    std::vector<Uuid> ids;
    Bigints fences, delays, cpu, memory;
    std::vector<std::string> fates;
    std::vector<std::optional<std::string>> results, errors;
    std::vector<std::optional<int>> exit_codes, signals;
    std::vector<bool> counts;

    Columns(const std::vector<Ending>& endings, bool ending_runs) {
        for (const Ending& ending : endings)
            if (ends_run(ending.kind) == ending_runs) add(ending);
    }
    void add(const Ending& ending) {
        ids.push_back(ending.held.id);
        fences.emplace_back(ending.held.fence);
        fates.emplace_back(to_string(ending.kind));
        results.push_back(ending.result.empty() ? std::nullopt : std::optional(ending.result));
        errors.push_back(error_json(ending));
        delays.push_back(ending.delay ? std::optional(std::int64_t{ending.delay->count()}) : std::nullopt);
        exit_codes.push_back(ending.exit_code);
        signals.push_back(ending.signal);
        cpu.push_back(ending.cpu_ms);
        memory.push_back(ending.peak_memory_bytes);
        counts.push_back(ending.counts);
    }
};

void add_rooms(Params& params, const std::vector<Room>& rooms, bool with_slots) {
    std::vector<std::string> tasks;
    Bigints slots;
    for (const Room& room : rooms) {
        tasks.push_back(room.task);
        slots.emplace_back(room.slots);
    }
    params.texts(tasks);
    if (with_slots) params.bigints(slots);
}

}  // namespace

Params queues_params(const Identity& who) {
    Params params;
    params.texts(who.queues);
    return params;
}

Params pool_params(const Identity& who) {
    Params params;
    params.text(who.pool);
    return params;
}

Params identity_params(const Identity& who) {
    Params params;
    params.uuid(who.id).text(who.pool).texts(who.queues);
    who.unit.empty() ? params.null() : params.text(who.unit);
    params.text(who.host).integer(who.pid).bigint(who.pid_start).uuid(who.boot_id);
    who.instance_id == Uuid{} ? params.null() : params.uuid(who.instance_id);
    params.text(who.version);
    who.pid_namespace == 0 ? params.null() : params.bigint(who.pid_namespace);
    who.concurrency == 0 ? params.null() : params.integer(who.concurrency);
    who.run ? params.uuid(*who.run) : params.null();
    params.boolean(who.rests);
    who.concurrency_max == 0 ? params.null() : params.integer(who.concurrency_max);
    return params;
}

Params leave_params(const Round& round, const Identity& who) {
    Params params;
    params.uuid(who.id);
    round.rest && !round.leave ? params.bigint(round.rest->count()) : params.null();
    return params;
}

Params forgotten_params(const Round& round, const Identity& who) {
    Params params;
    params.texts(who.queues).uuid(who.id).bigints(numbers(round.fences));
    return params;
}

Params patience_params(Millis longest) {
    Params params;
    params.text(std::to_string(longest.count()) + "ms");
    return params;
}

Params news_params(const std::vector<Said>& news, const Identity& who) {
    std::vector<Uuid> ids;
    Bigints fences, progress, first_lines;
    std::vector<std::optional<std::string>> progress_texts, lines;
    for (const Said& one : news) {
        ids.push_back(one.held.id);
        fences.emplace_back(one.held.fence);
        progress.push_back(one.progress);
        progress_texts.push_back(one.progress_text);
        first_lines.emplace_back(one.first_line);
        lines.push_back(one.lines.empty() ? std::nullopt : std::optional(one.lines));
    }
    Params params;
    params.uuid(who.id).uuids(ids).bigints(fences).bigints(progress).texts(progress_texts).bigints(first_lines);
    params.texts(lines);
    return params;
}

Params finish_params(const std::vector<Ending>& endings, const Identity& who) {
    const Columns c(endings, true);
    Params params;
    params.uuid(who.id).uuids(c.ids).bigints(c.fences).texts(c.fates).texts(c.results).texts(c.errors);
    params.smallints(c.exit_codes).smallints(c.signals).bigints(c.cpu).bigints(c.memory).booleans(c.counts);
    return params;
}

Params put_back_params(const std::vector<Ending>& endings, const Identity& who) {
    const Columns c(endings, false);
    Params params;
    params.uuid(who.id).uuids(c.ids).bigints(c.fences).texts(c.fates).bigints(c.delays).booleans(c.counts);
    params.texts(c.errors).smallints(c.exit_codes).smallints(c.signals).bigints(c.cpu).bigints(c.memory);
    return params;
}

Params enqueue_params(const std::vector<Ending>& endings, const Identity& who) {
    std::vector<Uuid> ids;
    Bigints fences;
    std::vector<std::string> texts;
    for (const Ending& ending : endings) {
        if (ending.enqueue.empty()) continue;
        ids.push_back(ending.held.id);
        fences.emplace_back(ending.held.fence);
        texts.push_back(ending.enqueue);
    }
    Params params;
    params.uuid(who.id).uuids(ids).bigints(fences).texts(texts);
    return params;
}

Params held_params(const std::vector<Held>& runs, const Identity& who) {
    std::vector<Uuid> ids;
    Bigints fences;
    for (const Held& run : runs) {
        ids.push_back(run.id);
        fences.emplace_back(run.fence);
    }
    Params params;
    params.uuid(who.id).uuids(ids).bigints(fences);
    return params;
}

Params rescue_params(const Round& round, const Identity& who) {
    Params params;
    params.texts(who.queues).uuids(round.rescue->except).integer(round.rescue->most).uuid(who.boot_id).uuid(who.id);
    params.bigint(awake_for().count()).bigints(numbers(round.fences));
    return params;
}

Params rescue_ids_params(const Round& round, const Identity& who) {
    Params params;
    params.uuids(*round.rescue_ids).uuid(who.boot_id).uuid(who.id);
    params.bigint(awake_for().count()).bigints(numbers(round.fences));
    return params;
}

Params lost_params(const Round& round, const Identity& who) {
    Params params;
    params.texts(who.queues).uuids(round.list_lost->except).integer(round.list_lost->most).uuid(who.id);
    params.bigints(numbers(round.fences));
    return params;
}

Params import_params(const std::vector<Import>& imports, const Identity& who) {
    std::vector<Uuid> ids;
    std::vector<std::string> texts;
    for (const Import& one : imports) {
        ids.push_back(one.id);
        texts.push_back(one.text);
    }
    Params params;
    params.uuids(ids).texts(texts).text(who.queues.front());
    return params;
}

Params claim_params(const Claim& claim, const Identity& who, Millis lease) {
    Params params;
    params.texts(who.queues).integer(claim.most).uuid(who.id).bigint(lease.count()).bigint(claim.payload_bytes);
    add_rooms(params, claim.rooms, true);
    params.uuids(claim.except);
    return params;
}

Params candidates_params(const Claim& claim, const Identity& who) {
    Params params;
    params.texts(who.queues).integer(claim.most);
    add_rooms(params, claim.rooms, true);
    params.uuids(claim.except);
    return params;
}

Params claim_ids_params(const ClaimIds& claim, const Identity& who, Millis lease) {
    Params params;
    params.uuids(claim.ids).uuid(who.id).bigint(lease.count()).bigint(claim.payload_bytes).boolean(claim.with_payload);
    return params;
}

Params refuse_params(const Refusal& refusal) {
    Params params;
    params.uuid(refusal.id).text(refusal.error_class).text(refusal.message);
    return params;
}

Params due_params(const Round& round, const Identity& who, Millis lease) {
    Params params;
    params.texts(who.queues).uuid(who.id).bigint(lease.count()).bigints(numbers(round.fences));
    add_rooms(params, round.due->rooms, false);
    params.uuids(round.due->except);
    return params;
}

Params backlog_params(const Round& round, const Identity& who) {
    Params params;
    params.texts(who.queues).texts(round.backlog);
    return params;
}

Params retain_params(const Retain& retain, const Identity& who) {
    Params params;
    params.text(who.pool);
    retain.finished ? params.bigint(retain.finished->count()) : params.null();
    params.bigint(retain.now.count());
    return params;
}

Params uuid_params(const Uuid& id) {
    Params params;
    params.uuid(id);
    return params;
}

}  // namespace dormouse::store
