// The worker's states. One function, Life::enter(), assigns them.
//
//   starting ──► claiming ⇄ running ──► idle ──► leaving ──► parting or abandoning ──► gone
//                    ▲________________________│
//
// Whether a session is open is not a state: idle with and without one is the same.
#pragma once

namespace dormouse::worker {

enum class State {
    starting,    ///< no look has been answered since this process started
    claiming,    ///< a look is owed or on the wire
    running,     ///< handlers are at work, endings are unwritten or a round is on the wire, and no look is owed
    idle,        ///< nothing in flight, nothing unwritten, nothing on the wire, no ring owed
    leaving,     ///< decided to exit: never accepts, never claims; handlers finish, endings are written
    parting,     ///< the last round is on the wire: what is due next, and good-bye
    abandoning,  ///< the same, and handlers or unwritten endings are left behind
    gone,        ///< the session is closed
};

const char* to_string(State state);
/// Whether there is an arrow from one to the other.
bool may_follow(State from, State to);
/// An edge that is not drawn above is a mistake of ours, and ends the process with a line that says which.
void demand_edge(State from, State to, const char* reason);

}  // namespace dormouse::worker
