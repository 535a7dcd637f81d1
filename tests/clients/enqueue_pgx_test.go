//go:build pgx

package dormouse

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v4"
)

func init() {
	more["pgx"] = func(t *testing.T) Queryer {
		conn, err := pgx.Connect(background, "sslmode=disable host="+os.Getenv("PGHOST"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(background) })
		return PGX[pgx.Row](conn)
	}
}
