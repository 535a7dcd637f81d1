"""dormouse.sqlalchemy on a real Postgres: one ring after the COMMIT of a transaction that enqueued, none otherwise."""

import sys
import unittest

try:
    import psycopg2  # noqa: F401
    import sqlalchemy
    from sqlalchemy import text
    from sqlalchemy.orm import Session, declarative_base, sessionmaker
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian packages python3-sqlalchemy, python3-psycopg2)")
    sys.exit(77)

from bell import Bell
from dormouse.sqlalchemy import ring_after_commit, rings

engine = sqlalchemy.create_engine("postgresql+psycopg2://")
Base = declarative_base()


class Run(Base):
    __tablename__ = "runs"
    __table_args__ = {"schema": "dormouse"}
    id = sqlalchemy.Column(sqlalchemy.String, primary_key=True, server_default=text("dormouse.new_id()"))
    task = sqlalchemy.Column(sqlalchemy.String)


ENQUEUE = text("SELECT dormouse.enqueue('work')")
bell = Bell("default")
Sessions = sessionmaker(engine)
ring_after_commit(Sessions, "default")


def runs():
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM dormouse.runs")).scalar()


class AfterCommit(unittest.TestCase):
    def setUp(self):
        self.before = runs()
        bell.rings()

    def check(self, new_runs, rings):
        self.assertEqual(runs() - self.before, new_runs)
        self.assertEqual(bell.rings(), rings)

    def test_several_runs_of_a_transaction_are_one_ring_after_its_commit(self):
        with Sessions() as session:
            session.execute(ENQUEUE)
            session.execute(text("INSERT INTO dormouse.runs (task) VALUES ('work')"))
            self.assertEqual(bell.rings(), 0)
            session.commit()
            self.check(2, 1)
            session.execute(ENQUEUE)
            session.commit()
        self.check(3, 1)

    def test_a_rollback_rings_nobody(self):
        with Sessions() as session:
            session.execute(ENQUEUE)
            session.rollback()
            session.execute(text("SELECT 1"))
            session.commit()
        self.check(0, 0)

    def test_a_session_that_is_left_without_a_commit_rings_nobody(self):
        with Sessions() as session:
            session.execute(ENQUEUE)
        with Sessions() as session:
            session.execute(text("SELECT count(*) FROM dormouse.queue_stats"))
            session.commit()
        self.check(0, 0)

    def test_other_transactions_ring_nobody(self):
        with Sessions.begin() as session:
            session.execute(text("CREATE TEMPORARY TABLE orders ON COMMIT DROP AS SELECT 1"))
        self.check(0, 0)

    def test_a_mapped_row_rings_when_it_is_flushed_by_the_commit(self):
        with Sessions.begin() as session:
            session.add(Run(task="work"))
        self.check(1, 1)

    def test_a_savepoint_is_not_a_commit(self):
        with Sessions() as session:
            with session.begin_nested():
                session.execute(ENQUEUE)
            self.assertEqual(bell.rings(), 0)
            session.commit()
        self.check(1, 1)

    def test_what_cannot_be_seen_can_be_said(self):
        with Sessions.begin() as session:
            rings(session)
        self.check(0, 1)

    def test_a_single_session_will_do(self):
        with Session(engine) as session:
            ring_after_commit(session, bell.target)
            session.execute(ENQUEUE)
            session.commit()
        self.check(1, 1)

    def test_a_missing_doorbell_does_not_break_the_producer(self):
        with Session(engine) as session:
            ring_after_commit(session, "missing")
            session.execute(ENQUEUE)
            session.commit()
            session.execute(ENQUEUE)
            session.commit()
        self.check(2, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
