// The names of rounds/participant.h, for the participants of this folder.
#pragma once

#include "promise/promises.h"
#include "rounds/bisection.h"
#include "rounds/participant.h"
#include "rounds/refusal.h"

namespace dormouse::worker {

using promise::Promise;
using promise::Promises;
using rounds::Bisection;
using rounds::Moment;
using rounds::Next;
using rounds::Participant;
using rounds::refusal_class;
using rounds::Time;

}  // namespace dormouse::worker
