-- What the ceiling's bare table holds: what a queue cannot do without.
CREATE TABLE bare (id bigint PRIMARY KEY, payload jsonb NOT NULL, state smallint NOT NULL DEFAULT 0);
CREATE SEQUENCE bare_ids CACHE 1000;
CREATE INDEX bare_todo ON bare (id) WHERE state = 0;
