package dormouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"
)

// queryers are those of database/sql, and of pgx where that is there.
var more = map[string]func(t *testing.T) Queryer{}

func queryers(t *testing.T) map[string]Queryer {
	all := map[string]Queryer{"database/sql": SQL(open(t))}
	for name, of := range more {
		all[name] = of(t)
	}
	return all
}

func casesOf(t *testing.T, name string) (cases []map[string]any) {
	data, err := os.ReadFile("producer_cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all[name], &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// made is a value of the file as Go has it.
func made(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if repeat, is := value["$repeat"]; is {
			times := int(value["times"].(float64))
			if value["each"] == nil {
				return strings.Repeat(repeat.(string), times)
			}
			list := make([]any, times)
			for i := range list {
				list[i] = repeat
			}
			return list
		}
		inner := map[string]any{}
		for name, one := range value {
			inner[name] = made(one)
		}
		return inner
	case []any:
		list := make([]any, len(value))
		for i, one := range value {
			list[i] = made(one)
		}
		return list
	}
	return value
}

// optionsOf is false for what Go's types do not let anybody write, or say as "not given".
func optionsOf(given any) (o Options, can bool) {
	options, _ := given.(map[string]any)
	for name, value := range options {
		number, isNumber := value.(float64)
		word, isWord := made(value).(string)
		whole := isNumber && number == float64(int(number))
		switch {
		case name == "key" && isWord && word != "":
			o.Key = word
		case name == "queue" && isWord && word != "":
			o.Queue = word
		case name == "traceparent" && isWord:
			o.Traceparent = word
		case name == "priority" && whole:
			o.Priority = int(number)
		case name == "max_attempts" && whole && number != 0:
			o.MaxAttempts = int(number)
		case name == "delay" && isNumber:
			o.Delay = time.Duration(number * float64(time.Second))
		case name == "timeout" && isNumber && number < 1e9:
			o.Timeout = time.Duration(number * float64(time.Second))
		case name == "run_at" && !isNumber:
			at, err := time.Parse(time.RFC3339Nano, value.(map[string]any)["$time"].(string))
			if err != nil {
				return o, false
			}
			o.RunAt = at
		default:
			return o, false
		}
	}
	return o, true
}

var background = context.Background()

func open(t *testing.T) *sql.DB {
	db, err := sql.Open("postgres", "sslmode=disable host="+os.Getenv("PGHOST"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clear(t, db)
	t.Cleanup(func() { clear(t, db) })
	return db
}

func clear(t *testing.T, db *sql.DB) {
	if _, err := db.Exec("TRUNCATE dormouse.runs, dormouse.keys"); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *sql.DB) (number int) {
	if err := db.QueryRow("SELECT count(*) FROM dormouse.runs").Scan(&number); err != nil {
		t.Fatal(err)
	}
	return number
}

const stored = `SELECT json_build_object('task', task, 'payload', payload, 'queue', queue, 'priority', priority, 'key', key, 'timeout_ms', timeout_ms,
    'max_attempts', max_attempts, 'traceparent', traceparent, 'delay_ms', round(extract(epoch FROM run_at - created_at) * 1000),
    'run_at', to_char(run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')) FROM dormouse.runs WHERE id = $1`

func rowOf(t *testing.T, db *sql.DB, id string) (row map[string]any) {
	var data []byte
	if err := db.QueryRow(stored, id).Scan(&data); err != nil {
		t.Fatal(id, err)
	}
	if err := json.Unmarshal(data, &row); err != nil {
		t.Fatal(err)
	}
	return row
}

// refused says whether the case is refused, and checks the words.
func refused(t *testing.T, c map[string]any, err error) bool {
	words, is := c["refused"].([]any)
	if is != (err != nil) {
		t.Errorf("%s: %v", c["name"], err)
		return true
	}
	for _, word := range words {
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(word.(string))) {
			t.Errorf("%s: %v: not a word of %s", c["name"], err, word)
		}
	}
	return is
}

func check(t *testing.T, c map[string]any, row map[string]any) {
	then, _ := c["then"].(map[string]any)
	for name, wanted := range then {
		if !reflect.DeepEqual(row[name], made(wanted)) {
			t.Errorf("%s: %s is %v, not %v", c["name"], name, row[name], wanted)
		}
	}
}

func TestWhatIsEnqueuedIsStoredOrRefused(t *testing.T) {
	for name, q := range queryers(t) {
		db, tried := open(t), 0
		for _, c := range casesOf(t, "enqueue") {
			task, isText := made(c["task"]).(string)
			options, can := optionsOf(c["options"])
			// half a surrogate pair cannot be in a string that comes from JSON
			if !isText || !can || strings.Contains(c["name"].(string), "surrogate") {
				continue
			}
			tried++
			payload, given := c["payload"]
			if !given {
				payload = map[string]any{}
			}
			id, err := Enqueue(background, q, task, made(payload), options)
			if !refused(t, c, err) {
				check(t, c, rowOf(t, db, id))
			}
		}
		if tried < 45 {
			t.Error(name, "tried", tried)
		}
	}
}

func TestManyAreEnqueuedInTheirOrder(t *testing.T) {
	for _, q := range queryers(t) {
		db := open(t)
		for _, c := range casesOf(t, "many") {
			payloads, isList := made(c["payloads"]).([]any)
			options, _ := optionsOf(c["options"])
			if !isList {
				continue
			}
			var keys []string
			for _, key := range append([]any{}, sliceOf(c["keys"])...) {
				word, _ := made(key).(string)
				keys = append(keys, word)
			}
			clear(t, db)
			ids, err := EnqueueMany(background, q, "work", payloads, keys, options)
			if refused(t, c, err) {
				continue
			}
			if len(ids) != len(payloads) {
				t.Error(c["name"], len(ids))
			}
			for _, pair := range sliceOf(c["same"]) {
				if ids[int(pair.([]any)[0].(float64))] != ids[int(pair.([]any)[1].(float64))] {
					t.Error(c["name"], "other ids")
				}
			}
			var found []any
			seen := map[string]bool{}
			for _, id := range ids {
				if !seen[id] && c["stored"] != nil {
					row := rowOf(t, db, id)
					found = append(found, row["payload"])
					check(t, c, row)
				}
				seen[id] = true
			}
			if wanted := sliceOf(c["stored"]); len(wanted) > 0 && !reflect.DeepEqual(found, wanted) {
				t.Error(c["name"], found, wanted)
			}
		}
	}
}

func sliceOf(value any) []any {
	list, _ := value.([]any)
	return list
}

func TestRunsComeWithTheCommit(t *testing.T) {
	for _, c := range casesOf(t, "transactions") {
		db := open(t)
		var tx *sql.Tx
		var err error
		depth := 0
		must := func(more error) {
			if more != nil {
				t.Fatal(c["name"], more)
			}
		}
		say := func(statement string) { _, err := tx.Exec(statement); must(err) }
		for _, step := range sliceOf(c["steps"]) {
			q := SQL(db)
			if tx != nil {
				q = SQL(tx)
			}
			switch step {
			case "begin":
				if depth++; depth == 1 {
					tx, err = db.Begin()
					must(err)
				} else {
					say("SAVEPOINT s" + string(rune('0'+depth)))
				}
			case "commit", "rollback":
				if depth--; depth == 0 && step == "commit" {
					must(Commit(tx, "missing", nil))
					tx = nil
				} else if depth == 0 {
					must(tx.Rollback())
					tx = nil
				} else if step == "rollback" {
					say("ROLLBACK TO s" + string(rune('1'+depth)))
				}
			case "nothing seen":
				if count(t, db) != 0 {
					t.Error(c["name"], "seen before the commit")
				}
			case "refused":
				if _, err := Enqueue(background, q, "work", "[]", Options{}); err == nil {
					t.Error("not refused")
				}
			case "many":
				_, err := EnqueueMany(background, q, "work", []any{1, 2, 3}, nil, Options{})
				must(err)
			default:
				options := Options{}
				if step == "enqueue key" {
					options.Key = "k"
				}
				_, err := Enqueue(background, q, "work", 1, options)
				must(err)
			}
		}
		if got := count(t, db); got != int(c["runs"].(float64)) {
			t.Error(c["name"], got, "runs")
		}
	}
}

func TestARunIsAskedForCancelledAndStartedAgain(t *testing.T) {
	for _, q := range queryers(t) {
		open(t)
		run, err := Enqueue(background, q, "work", 1, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range casesOf(t, "operations") {
			id := run
			if of, given := c["of"]; given {
				if id, _ = of.(string); len(id) != 36 {
					continue // what is no id is refused by Postgres
				}
			}
			ctx, end := context.WithTimeout(background, time.Second)
			var done bool
			var said string
			var found *Result
			switch c["do"] {
			case "result":
				found, err = Find(background, q, id)
			case "wait":
				found, err = Wait(ctx, q, id)
			case "cancel":
				reason, _ := c["reason"].(string)
				done, said, err = Cancel(background, q, id, reason)
			case "retry":
				done, said, err = Retry(background, q, id)
			}
			end()
			if refused(t, c, err) {
				continue
			}
			if then, is := c["then"].(map[string]any); is && (found == nil || found.Status != then["status"] || found.Finished() != then["finished"]) {
				t.Error(c, found)
			} else if wanted, is := c["done"]; is && (done != wanted || strings.Split(said, ":")[0] != c["text"]) {
				t.Error(c, done, said)
			}
		}
	}
}
