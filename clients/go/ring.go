// Package dormouse enqueues runs in the transaction of the caller, and rings the doorbell of their pool after its COMMIT. Standard library
// only; copy this file. A ring carries nothing: it makes the pool's worker look at the database.
package dormouse

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Timeout is the most that a ring takes, the resolution of a name included.
const Timeout = time.Second

// Ring rings a pool by name, a socket by path ("/run/dormouse/mail.sock") or a doorbell on another host ("host:7300",
// "[2001:db8::1]:7300"). An error is for the log: the transaction is committed, whoever looks next finds the runs.
func Ring(target string) error {
	network, address := "unix", target
	switch {
	case strings.Contains(target, "/"):
	case strings.Contains(target, ":"):
		network = "tcp"
	default:
		directory := os.Getenv("DORMOUSE_PATHS_RUNTIME_DIRECTORY")
		if directory == "" {
			directory = "/run/dormouse"
		}
		address = directory + "/" + target + ".sock"
	}
	connection, err := net.DialTimeout(network, address, Timeout)
	if errors.Is(err, syscall.EAGAIN) {
		return nil // as many rings as fit wait there already
	}
	if err != nil {
		return err
	}
	return connection.Close()
}

// Commit commits a transaction that enqueued something, such as *sql.Tx, and rings once, unless the server has refused to commit: a
// connection that is lost may have committed. The error is the commit's: a ring that fails is told to onRing, which may be nil.
func Commit(tx interface{ Commit() error }, target string, onRing func(error)) error {
	failed := tx.Commit()
	if failed != nil && isRefused(failed) {
		return failed
	}
	if err := Ring(target); err != nil && onRing != nil {
		onRing(err)
	}
	return failed
}

// isRefused: with an SQLSTATE; but those of a session that was ended (08, 57P) or is broken (XX) may follow the commit.
func isRefused(err error) bool {
	var said interface{ SQLState() string }
	if !errors.As(err, &said) {
		return false
	}
	state := said.SQLState()
	return !strings.HasPrefix(state, "08") && !strings.HasPrefix(state, "57P") && !strings.HasPrefix(state, "XX")
}
