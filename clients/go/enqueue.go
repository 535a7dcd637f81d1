package dormouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Row is *sql.Row, or a pgx.Row.
type Row interface{ Scan(dest ...any) error }

// Queryer asks for one row, in whatever transaction it belongs to.
type Queryer func(ctx context.Context, statement string, arguments ...any) Row

// SQL is a Queryer of database/sql: a *sql.Tx, a *sql.Conn, or a *sql.DB, which commits each call by itself.
func SQL(of interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) Queryer {
	return func(ctx context.Context, statement string, arguments ...any) Row {
		return of.QueryRowContext(ctx, statement, arguments...)
	}
}

// PGX is a Queryer of pgx: PGX[pgx.Row](tx), where tx is a pgx.Tx, a *pgx.Conn or a *pgxpool.Pool.
func PGX[R Row](of interface {
	QueryRow(ctx context.Context, sql string, args ...any) R
}) Queryer {
	return func(ctx context.Context, statement string, arguments ...any) Row {
		return of.QueryRow(ctx, statement, arguments...)
	}
}

// Options of a run. Zero values mean the database's defaults.
type Options struct {
	Key         string    // the first run of that task and key is returned instead of a second one, also when it has finished
	RunAt       time.Time // not before
	Delay       time.Duration
	Queue       string
	Priority    int           // -100 to 100, smaller is sooner
	Timeout     time.Duration // of each attempt
	MaxAttempts int
	Traceparent string
}

// Result is the status and outcome of a run.
type Result struct {
	Status     string          // queued, running, retry, blocked, completed, failed, canceled
	Result     json.RawMessage // what its handler returned
	Error      json.RawMessage
	Attempts   int
	FinishedAt *time.Time `json:"finished_at"`
}

// Finished is true if the run will not be attempted any more.
func (r *Result) Finished() bool {
	return r.Status == "completed" || r.Status == "failed" || r.Status == "canceled"
}

const mostBytes = 16 << 20 // of a payload

// Enqueue enqueues one run in the transaction that q belongs to, and returns its id: nothing happens before the commit, and nothing
// after a rollback. What is wrong with the arguments is an error before anything is sent. Ring after the commit: Commit does both.
func Enqueue(ctx context.Context, q Queryer, task string, payload any, options Options) (id string, err error) {
	names, values, err := members(task, options)
	if err != nil {
		return "", err
	}
	encoded, err := encode(fmt.Sprintf("the payload of %q", task), payload)
	if err != nil {
		return "", err
	}
	statement := "SELECT CAST(dormouse.enqueue(" + call(append(names, "payload"), 1) + ") AS text)"
	err = q(ctx, statement, append(values, encoded)...).Scan(&id)
	return id, err
}

// EnqueueMany enqueues one run for each payload, in one statement, and returns their ids in that order. keys is nil, or has one for each
// payload ("": none).
func EnqueueMany(ctx context.Context, q Queryer, task string, payloads []any, keys []string, options Options) ([]string, error) {
	if options.Key != "" || options.Traceparent != "" {
		return nil, fmt.Errorf("EnqueueMany: Key and Traceparent are of one run; give keys, or call Enqueue")
	}
	names, values, err := members(task, options)
	if err != nil {
		return nil, err
	}
	encoded := make([]string, len(payloads))
	for i, payload := range payloads {
		if encoded[i], err = encode(fmt.Sprintf("payload %d of %q", i, task), payload); err != nil {
			return nil, err
		}
	}
	arguments := []any{"[" + strings.Join(encoded, ",") + "]"}
	arrays := "payloads => ARRAY(SELECT e.v FROM jsonb_array_elements(CAST(CAST($1 AS text) AS jsonb)) WITH ORDINALITY e (v, n) ORDER BY e.n)"
	if keys != nil {
		if len(keys) != len(payloads) {
			return nil, fmt.Errorf("EnqueueMany: %d payloads and %d keys; give one key, or \"\", for each payload", len(payloads), len(keys))
		}
		given := make([]*string, len(keys))
		for i := range keys {
			if keys[i] == "" {
				continue
			}
			if err := text("key", keys[i], 500, false); err != nil {
				return nil, err
			}
			given[i] = &keys[i]
		}
		list, _ := json.Marshal(given)
		arguments = append(arguments, string(list))
		arrays += ", keys => ARRAY(SELECT e.v FROM jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)) WITH ORDINALITY e (v, n) ORDER BY e.n)"
	}
	statement := "SELECT CAST(coalesce(json_agg(e.id ORDER BY e.n), '[]') AS text) FROM dormouse.enqueue_many(" + arrays + ", " +
		call(names, len(arguments)+1) + ") WITH ORDINALITY e (id, n)"
	var ids []string
	var list string
	if err := q(ctx, statement, append(arguments, values...)...).Scan(&list); err != nil {
		return nil, err
	}
	return ids, json.Unmarshal([]byte(list), &ids)
}

// Find returns the run's status and outcome; nil: there is no such run (any more), or its transaction is not committed.
func Find(ctx context.Context, q Queryer, id string) (*Result, error) {
	var found *string
	err := q(ctx, "SELECT CAST((SELECT row_to_json(r) FROM dormouse.result(CAST(CAST($1 AS text) AS uuid)) r) AS text)", id).Scan(&found)
	if err != nil || found == nil {
		return nil, err
	}
	result := new(Result)
	return result, json.Unmarshal([]byte(*found), result)
}

// Wait polls at intervals that grow from 20 ms to 1 s until the run has finished, with whatever status, or the context has ended. The transaction that
// enqueued the run has to be committed before.
func Wait(ctx context.Context, q Queryer, id string) (*Result, error) {
	var last *Result
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		found, err := Find(ctx, q, id)
		if err != nil && last != nil && ctx.Err() != nil {
			found, err = last, nil // the time is up while it asks: what it heard before is said
		}
		if err != nil || found != nil && found.Finished() {
			return found, err
		}
		if found == nil {
			return nil, fmt.Errorf("Wait: there is no run %s; either it was never committed, or it has been removed since", id)
		}
		last = found
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("Wait: run %s is %s still: %w", id, found.Status, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Cancel cancels the run when the transaction commits. done: it was changed; said: what was done, or why not.
func Cancel(ctx context.Context, q Queryer, id, reason string) (done bool, said string, err error) {
	err = q(ctx, "SELECT dormouse.cancel(CAST(CAST($1 AS text) AS uuid), nullif(CAST($2 AS text), ''))", id, reason).Scan(&said)
	return strings.HasPrefix(said, "canceled:"), said, err
}

// Retry starts a finished run again; a run that waits for its next attempt becomes due at once.
func Retry(ctx context.Context, q Queryer, id string) (done bool, said string, err error) {
	err = q(ctx, "SELECT dormouse.retry(CAST(CAST($1 AS text) AS uuid))", id).Scan(&said)
	return strings.HasPrefix(said, "queued:") || strings.HasPrefix(said, "due:"), said, err
}

var types = map[string]string{"payload": "jsonb", "priority": "integer", "run_at": "timestamptz", "delay": "interval", "max_attempts": "integer",
	"timeout": "interval"}

func call(names []string, first int) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s => CAST($%d AS text)", name, first+i)
		if kind, casts := types[name]; casts {
			parts[i] = fmt.Sprintf("%s => CAST(CAST($%d AS text) AS %s)", name, first+i, kind)
		}
	}
	return strings.Join(parts, ", ")
}

// members are the named arguments of the SQL function: all are sent as text, which no driver has ideas of its own about.
func members(task string, o Options) (names []string, values []any, err error) {
	if err = text("task", task, 200, true); err != nil {
		return nil, nil, err
	}
	add := func(name, value string) { names, values = append(names, name), append(values, value) }
	add("task", task)
	for _, one := range []struct {
		name, value string
		most        int
	}{{"queue", o.Queue, 48}, {"key", o.Key, 500}, {"traceparent", o.Traceparent, 512}} {
		if one.value == "" {
			continue
		}
		if err = text(one.name, one.value, one.most, one.name == "queue"); err != nil {
			return nil, nil, err
		}
		add(one.name, one.value)
	}
	switch {
	case o.Priority < -100 || o.Priority > 100:
		err = fmt.Errorf("priority is %d, expected -100 to 100", o.Priority)
	case o.MaxAttempts < 0 || o.MaxAttempts > 1000:
		err = fmt.Errorf("max_attempts is %d, expected 1 to 1000", o.MaxAttempts)
	case o.Delay < 0 || o.Timeout < 0:
		err = fmt.Errorf("delay is %s and timeout %s, expected 0 or more", o.Delay, o.Timeout)
	case !o.RunAt.IsZero() && o.Delay != 0:
		err = fmt.Errorf("run_at and delay exclude each other: give the time, or the delay from now")
	}
	if err != nil {
		return nil, nil, err
	}
	if o.Priority != 0 {
		add("priority", fmt.Sprint(o.Priority))
	}
	if o.MaxAttempts != 0 {
		add("max_attempts", fmt.Sprint(o.MaxAttempts))
	}
	if !o.RunAt.IsZero() {
		add("run_at", o.RunAt.Format(time.RFC3339Nano))
	}
	if o.Delay != 0 {
		add("delay", fmt.Sprintf("%.6f seconds", o.Delay.Seconds()))
	}
	if o.Timeout != 0 {
		add("timeout", fmt.Sprintf("%.6f seconds", math.Max(o.Timeout.Seconds(), 0.001)))
	}
	return names, values, nil
}

func text(name, value string, most int, namesSomething bool) error {
	switch {
	case !utf8.ValidString(value):
		return fmt.Errorf("%s %q is not valid UTF-8", name, value)
	case strings.Contains(value, "\x00"):
		return fmt.Errorf("%s %q has a NUL character, which Postgres cannot store; leave it out", name, value)
	case len(value) < 1 || len(value) > most:
		return fmt.Errorf("%s has %d bytes, expected 1 to %d", name, len(value), most)
	case namesSomething && strings.ContainsAny(value, unprintable):
		return fmt.Errorf("%s %q has a control character or a line break; leave it out", name, value)
	}
	return nil
}

var unprintable = func() string {
	all := []rune{0x2028, 0x2029}
	for r := rune(1); r <= 0x9f; r++ {
		if r < 0x20 || r >= 0x7f {
			all = append(all, r)
		}
	}
	return string(all)
}()

func encode(what string, payload any) (string, error) {
	if given, is := payload.(string); is && strings.IndexAny(strings.TrimSpace(given), "{[") == 0 && json.Valid([]byte(given)) {
		return "", fmt.Errorf("%s is a string that is JSON already, and would be encoded twice; give json.RawMessage, or, if the handler "+
			"wants text, an object with it", what)
	}
	encoded, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("%s cannot be written as JSON: %w", what, err)
	}
	if len(encoded) > mostBytes {
		return "", fmt.Errorf("%s has %d bytes as JSON, expected at most %d; store it elsewhere, and enqueue where it is", what, len(encoded), mostBytes)
	}
	if strings.Contains(string(encoded), `\u0000`) {
		var value any
		if err := json.Unmarshal(encoded, &value); err != nil {
			return "", err
		}
		if where := nul(value, what); where != "" {
			return "", fmt.Errorf("%s has a NUL character, which Postgres cannot store; leave it out, or encode it as base64", where)
		}
	}
	return string(encoded), nil
}

// nul says where a NUL character is; "": there is none.
func nul(value any, path string) (where string) {
	switch value := value.(type) {
	case string:
		if strings.Contains(value, "\x00") {
			return path
		}
	case []any:
		for i, one := range value {
			if where = nul(one, fmt.Sprintf("%s[%d]", path, i)); where != "" {
				return where
			}
		}
	case map[string]any:
		for name, one := range value {
			if strings.Contains(name, "\x00") {
				return fmt.Sprintf("%s: the name %q", path, name)
			}
			if where = nul(one, path+"."+name); where != "" {
				return where
			}
		}
	}
	return ""
}

func min(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}
