"""Ring a dormouse pool's doorbell after each COMMIT of an SQLAlchemy session that enqueued something.

Beside dormouse_ring.py; SQLAlchemy 1.4 or 2. Once, where sessions are made:

    Session = sessionmaker(engine)
    ring_after_commit(Session, "default")

It sees whatever the session sends that names dormouse.enqueue, dormouse.enqueue_many or dormouse.runs: text, Core or mapped
classes. For what it cannot see, such as a function of your own that enqueues, call enqueued(session). One ring for each
transaction, none after a rollback. AsyncSession: pass its sync_session_class.
"""

import re

from sqlalchemy import event

from dormouse_ring import ring

_ENQUEUES = re.compile(r'\b"?dormouse"?\."?(enqueue|runs\b)|\binsert\s+into\s+runs\b', re.IGNORECASE)
_MARK = "dormouse_enqueued"


def enqueued(session):
    """Says that the session's transaction enqueues something."""
    session.info[_MARK] = True


def ring_after_commit(sessions, target="default", timeout=1.0):
    """`sessions` is a Session, a sessionmaker or a class of sessions; the rest is ring()'s."""

    def after_begin(session, transaction, connection):
        def after_execute(conn, cursor, statement, parameters, context, executemany):
            if _ENQUEUES.search(statement):
                enqueued(session)

        if not transaction.nested:  # a savepoint is on the same connection
            event.listen(connection, "after_cursor_execute", after_execute)

    def after_commit(session):
        if session.info.get(_MARK) and not session.in_nested_transaction():
            del session.info[_MARK]
            ring(target, timeout)

    def after_transaction_end(session, transaction):
        if transaction.parent is None:
            session.info.pop(_MARK, None)

    event.listen(sessions, "after_begin", after_begin)
    event.listen(sessions, "after_commit", after_commit)
    event.listen(sessions, "after_transaction_end", after_transaction_end)
