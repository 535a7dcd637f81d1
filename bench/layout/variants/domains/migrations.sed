/^CREATE TABLE dormouse.runs (/i\
CREATE DOMAIN dormouse.queue_name AS text CONSTRAINT queue_is_1_to_48_bytes CHECK (octet_length(VALUE) BETWEEN 1 AND 48);\
CREATE DOMAIN dormouse.task_name AS text CONSTRAINT task_is_1_to_200_bytes CHECK (octet_length(VALUE) BETWEEN 1 AND 200);\
CREATE DOMAIN dormouse.run_key AS text CONSTRAINT key_is_1_to_500_bytes CHECK (octet_length(VALUE) BETWEEN 1 AND 500);\
CREATE DOMAIN dormouse.attempt_count AS smallint CONSTRAINT attempts_are_not_negative CHECK (VALUE >= 0);\
CREATE DOMAIN dormouse.max_attempt_count AS smallint CONSTRAINT max_attempts_is_positive CHECK (VALUE > 0);\
CREATE DOMAIN dormouse.milliseconds AS bigint CONSTRAINT timeout_is_not_negative CHECK (VALUE >= 0);\
CREATE DOMAIN dormouse.fraction AS real CONSTRAINT progress_is_0_to_1 CHECK (VALUE BETWEEN 0 AND 1);
/^CREATE TABLE dormouse.runs (/,/^) PARTITION/{
s/^    queue  *text /    queue dormouse.queue_name /
s/^    task  *text /    task dormouse.task_name /
s/^    key  *text,/    key dormouse.run_key,/
s/^    attempts  *smallint /    attempts dormouse.attempt_count /
s/^    max_attempts  *smallint,/    max_attempts dormouse.max_attempt_count,/
s/^    timeout_ms  *bigint,/    timeout_ms dormouse.milliseconds,/
s/^    progress  *real,/    progress dormouse.fraction,/
/CONSTRAINT \(queue_is\|task_is\|key_is\|attempts_are\|timeout_is\)/d
s/CHECK (progress BETWEEN 0 AND 1)/CHECK (true)/
}
