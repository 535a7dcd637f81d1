package dormouse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// bell listens, and counts rings that have been made: who rings has connected before Ring returns.
type bell struct{ listener net.Listener }

func listen(t *testing.T, network, address string) bell {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return bell{listener}
}

func (b bell) rings() int {
	b.listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(100 * time.Millisecond))
	for count := 0; ; count++ {
		connection, err := b.listener.Accept()
		if err != nil {
			return count
		}
		connection.Close()
	}
}

func socketOf(pool string) string {
	return os.Getenv("DORMOUSE_PATHS_RUNTIME_DIRECTORY") + "/" + pool + ".sock"
}

// transaction is one of a real Postgres, through psql.
type transaction struct {
	in  io.Writer
	out *bufio.Scanner
}

func begin(t *testing.T, sql string) transaction {
	t.Helper()
	psql := exec.Command("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only")
	in, _ := psql.StdinPipe()
	out, _ := psql.StdoutPipe()
	if err := psql.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.(io.Closer).Close(); psql.Wait() })
	fmt.Fprintf(in, "BEGIN;\n%s\n", sql)
	return transaction{in, bufio.NewScanner(out)}
}

func (tx transaction) Commit() error {
	fmt.Fprintln(tx.in, "COMMIT;\n\\echo error :ERROR")
	for tx.out.Scan() {
		if line := tx.out.Text(); line == "error true" {
			return refusal{}
		} else if line == "error false" {
			return nil
		}
	}
	return errors.New("psql has ended")
}

type refusal struct{}

func (refusal) Error() string    { return "the commit failed" }
func (refusal) SQLState() string { return "23505" }

// cutOff commits, and does not hear of it.
type cutOff struct{ transaction }

func (tx cutOff) Commit() error {
	if err := tx.transaction.Commit(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func runs(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("psql", "--no-psqlrc", "-qAt", "-c", "SELECT count(*) FROM dormouse.runs").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestAPoolIsRungByNamePathAndAddress(t *testing.T) {
	near, far := listen(t, "unix", socketOf("named")), listen(t, "tcp", "127.0.0.1:0")
	for _, target := range []string{"named", socketOf("named"), far.listener.Addr().String()} {
		if err := Ring(target); err != nil {
			t.Error(target, err)
		}
	}
	if near.rings() != 2 || far.rings() != 1 {
		t.Error("a ring was lost")
	}
}

func TestNobodyThereIsAnErrorInTime(t *testing.T) {
	began := time.Now()
	for _, target := range []string{"missing", "/nonexistent/socket", "127.0.0.1:1", "host:port", ""} {
		if Ring(target) == nil {
			t.Error(target)
		}
	}
	if time.Since(began) > 6*time.Second {
		t.Error("took", time.Since(began))
	}
}

func TestADoorbellFullOfRingsIsRung(t *testing.T) {
	listen(t, "unix", socketOf("full"))
	for i := 0; i < 20000; i++ { // more than any queue takes
		if err := Ring("full"); err != nil {
			t.Fatal(i, err)
		}
	}
}

func TestACommitRingsOnceAndAFailedOneDoesNot(t *testing.T) {
	near := listen(t, "unix", socketOf("default"))
	if err := Commit(begin(t, "SELECT dormouse.enqueue('work');"), "default", nil); err != nil {
		t.Error(err)
	}
	if runs(t) != "1" || near.rings() != 1 {
		t.Error("no ring after the commit")
	}
	failing := "SELECT dormouse.enqueue('work'); CREATE TEMPORARY TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1), (1);"
	if Commit(begin(t, failing), "default", nil) == nil || runs(t) != "1" || near.rings() != 0 {
		t.Error("a commit that failed")
	}
	if !errors.Is(Commit(cutOff{begin(t, "SELECT dormouse.enqueue('work');")}, "default", nil), io.ErrUnexpectedEOF) || runs(t) != "2" || near.rings() != 1 {
		t.Error("a commit that was cut off")
	}
	var told error
	if err := Commit(begin(t, "SELECT dormouse.enqueue('work');"), "missing", func(err error) { told = err }); err != nil || told == nil || runs(t) != "3" {
		t.Error("a missing doorbell", err, told)
	}
}
