// The parameters of the statements of a round. Used by parts.cpp alone.
#pragma once

#include "postgres/params.h"
#include "store/identity.h"
#include "store/round.h"

namespace dormouse::store {

postgres::Params queues_params(const Identity& who);
postgres::Params pool_params(const Identity& who);
postgres::Params identity_params(const Identity& who);
postgres::Params leave_params(const Round& round, const Identity& who);
postgres::Params forgotten_params(const Round& round, const Identity& who);
postgres::Params patience_params(Millis longest);
postgres::Params news_params(const std::vector<Said>& news, const Identity& who);
postgres::Params finish_params(const std::vector<Ending>& endings, const Identity& who);
postgres::Params put_back_params(const std::vector<Ending>& endings, const Identity& who);
/// What ended runs ask for; enqueue_next.sql looks whether they have ended.
postgres::Params enqueue_params(const std::vector<Ending>& endings, const Identity& who);
postgres::Params held_params(const std::vector<Held>& runs, const Identity& who);
postgres::Params rescue_params(const Round& round, const Identity& who);
postgres::Params rescue_ids_params(const Round& round, const Identity& who);
postgres::Params lost_params(const Round& round, const Identity& who);
/// A run without a queue goes into the pool's first.
postgres::Params import_params(const std::vector<Import>& imports, const Identity& who);
postgres::Params claim_params(const Claim& claim, const Identity& who, Millis lease);
postgres::Params candidates_params(const Claim& claim, const Identity& who);
postgres::Params claim_ids_params(const ClaimIds& claim, const Identity& who, Millis lease);
postgres::Params refuse_params(const Refusal& refusal);
postgres::Params backlog_params(const Round& round, const Identity& who);
postgres::Params due_params(const Round& round, const Identity& who, Millis lease);
postgres::Params retain_params(const Retain& retain, const Identity& who);
postgres::Params uuid_params(const Uuid& id);

}  // namespace dormouse::store
