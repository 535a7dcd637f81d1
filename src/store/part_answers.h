// How the replies to the statements of a round are read. Used by parts.cpp alone.
#pragma once

#include "postgres/result.h"
#include "store/identity.h"
#include "store/round.h"

namespace dormouse::store {

void read_held(const postgres::Reply& reply, Answer& answer);
void read_ids(const postgres::Reply& reply, std::vector<Uuid>& into);
void read_enlisted(const postgres::Reply& reply, Answer& answer);
void read_scaled(const postgres::Reply& reply, Answer& answer);
void read_imported(const postgres::Reply& reply, Answer& answer);
/// The statement returns rows in no order; the strict order of the queues, priority and age are restored here.
void read_claimed(const postgres::Reply& reply, const Identity& who, Answer& answer);
void read_backlog(const postgres::Reply& reply, Answer& answer);
/// Column `column` of the first row: milliseconds until something is due, or null.
void read_due(const postgres::Reply& reply, int column, Answer& answer);

}  // namespace dormouse::store
