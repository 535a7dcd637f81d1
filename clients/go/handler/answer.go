package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const unshown = "(its message cannot be shown)"

// answer calls the function, and makes the line that answers the run.
func answer(ctx context.Context, run *Run) json.RawMessage {
	line, err := call(ctx, run)
	if err == nil {
		return line
	}
	run.drop()
	line, _ = encode("the error", failed(run, err))
	return line
}

// call makes a failure of a panic, which would end the runs beside it: of the function's, and of what its result does when it is written.
func call(ctx context.Context, run *Run) (line json.RawMessage, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = panicked{fmt.Sprint(reason), string(debug.Stack())}
		}
	}()
	handle := tasks[run.Task]
	if handle == nil {
		return nil, fmt.Errorf("this process has no task %s; it has %s", run.Task, strings.Join(names(), ", "))
	}
	result, err := handle(ctx, run)
	if err != nil {
		return nil, err
	}
	if run.CancelReason() == "timeout" {
		run.drop() // no answer counts any more
	}
	return completed(run, result)
}

// drop: what an attempt that does not complete has asked for is not enqueued; the run's log says so.
func (r *Run) drop() {
	r.lock.Lock()
	count := len(r.enqueued)
	r.enqueued = nil
	r.lock.Unlock()
	if count == 1 {
		r.Log("warning", "1 follow-up run is dropped: the attempt did not complete")
	} else if count > 1 {
		r.Log("warning", fmt.Sprintf("%d follow-up runs are dropped: the attempt did not complete", count))
	}
}

// message is what the error says. The method of an error that is a nil pointer panics, as do those that are wrong.
func message(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = unshown
		}
	}()
	return err.Error()
}

// origin is what a Retry came from.
func origin(err error) error {
	var snooze Snooze
	var retry Retry
	if errors.As(err, &snooze) || !errors.As(err, &retry) || retry.Err == nil {
		return err
	}
	return origin(retry.Err)
}

type panicked struct{ message, stack string }

func (e panicked) Error() string { return e.message + "\n" + e.stack }

func completed(run *Run, result any) (json.RawMessage, error) {
	most := math.MaxInt / 2
	if bytes, err := strconv.Atoi(os.Getenv("DORMOUSE_RESULT_BYTES")); err == nil {
		most = bytes
	}
	line := []byte(`{"type":"completed","id":"` + run.ID + `"`)
	if result != nil {
		text, err := encode("the result", result)
		if err != nil {
			return nil, err
		} else if len(text) > most {
			return nil, unfit{"result_too_large", fmt.Sprintf("the result is larger than %d bytes (limits.result_bytes)", most)}
		} else if string(text) != "null" {
			line = append(append(line, `,"result":`...), text...)
		}
	}
	if len(run.enqueued) > 0 {
		all, _ := json.Marshal(run.enqueued)
		if len(all) > most {
			return nil, unfit{"result_too_large", fmt.Sprintf("what it enqueues is larger than %d bytes (limits.result_bytes)", most)}
		}
		line = append(append(line, `,"enqueue":`...), all...)
	}
	if len(line) > most+moreInAMessage {
		return nil, unfit{"result_too_large", fmt.Sprintf("the result and what it enqueues are together larger than %d bytes (limits.result_bytes)", most)}
	}
	return append(line, '}'), nil
}

func failed(run *Run, err error) (said map[string]any) {
	defer func() {
		if recover() != nil { // of its Unwrap, Is or As
			said = map[string]any{"type": "failed", "id": run.ID, "class": class(err), "message": unshown}
		}
	}()
	if run.Attempt >= run.MaxAttempts {
		err = origin(err)
	}
	said = map[string]any{"type": "failed", "id": run.ID, "class": class(err), "message": cut(message(err))}
	in := time.Duration(0)
	var snooze Snooze
	var retry Retry
	var fail Fail
	var odd unfit
	switch {
	case errors.As(err, &snooze):
		delete(said, "class")
		said["type"] = "retry"
		in = snooze.In
	case errors.As(err, &retry):
		said["class"] = "Retry"
		in = retry.In
	case errors.As(err, &odd):
		said["class"], said["permanent"] = odd.class, true
	case errors.As(err, &fail):
		said["class"], said["permanent"] = "Fail", true
	case errors.Is(err, context.Canceled) && run.CancelReason() != "":
		said["class"], said["message"] = "Cancelled", "cancelled: "+run.CancelReason()
	}
	if in > 0 {
		said["in"] = in.Seconds()
	}
	return said
}

// class is the name of the error's type, without its package; that of errors.New and the like says nothing.
func class(err error) string {
	kind := reflect.TypeOf(err)
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if name := kind.Name(); name != "errorString" && name != "wrapError" && name != "wrapErrors" && name != "joinError" {
		return name
	}
	return "error"
}

func encode(what string, value any) (json.RawMessage, error) {
	var text bytes.Buffer
	writer := json.NewEncoder(&text)
	writer.SetEscapeHTML(false)
	err := writer.Encode(value)
	// Of what is passed on as a RawMessage half a surrogate pair may come, as an escape; Go reads it as U+FFFD.
	if lower := bytes.ToLower(text.Bytes()); err == nil && bytes.Contains(lower, []byte(`\ud`)) {
		var read any
		reader := json.NewDecoder(bytes.NewReader(text.Bytes()))
		reader.UseNumber()
		if err = reader.Decode(&read); err == nil {
			text.Reset()
			err = writer.Encode(read)
		}
	}
	if err == nil {
		return bytes.TrimRight(text.Bytes(), "\n"), nil
	}
	root := ""
	if what == "the result" {
		root = "result"
	}
	why := fault(reflect.ValueOf(value), root)
	if why == "" {
		why = err.Error()
	}
	return nil, unfit{"BadResult", what + " cannot be written as JSON: " + strings.TrimLeft(why, ".: ")}
}

func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= mostText {
		return text
	}
	end := mostText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
