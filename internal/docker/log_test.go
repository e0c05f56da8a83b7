package docker

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/pkg/stdcopy"
)

func TestEndingKeepsTheLastBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		writes  []string
		want    string
		dropped int64
	}{
		{nil, "", 0},
		{[]string{"ab"}, "ab", 0},
		{[]string{"abc", "de"}, "abcde", 0},
		{[]string{"abc", "def"}, "bcdef", 1},
		{[]string{"abcde", "f", "ghijklm", "n"}, "jklmn", 9},
		{[]string{"abcdefghijklmnopqrs"}, "opqrs", 14},
	} {
		e := ending{max: 5}
		for _, w := range c.writes {
			if n, err := e.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%q: wrote %d, %v", w, n, err)
			}
		}
		var b strings.Builder
		if err := e.copyTo(&b); err != nil || b.String() != c.want || e.dropped != c.dropped {
			t.Errorf("%q: kept %q and dropped %d, want %q and %d", c.writes, b.String(), e.dropped, c.want, c.dropped)
		}
	}
}

// What went wrong stands at the end of a log.
func TestALogOverItsLimitKeepsItsEnd(t *testing.T) {
	const lines, size = 70, 1 << 20
	fake(t, map[string]http.HandlerFunc{"GET /containers/c1/logs": func(w http.ResponseWriter, _ *http.Request) {
		out := bufio.NewWriter(w)
		stdout, stderr := stdcopy.NewStdWriter(out, stdcopy.Stdout), stdcopy.NewStdWriter(out, stdcopy.Stderr)
		for i := range lines {
			fmt.Fprintf(stdout, "line %02d %s\n", i, bytes.Repeat([]byte{'x'}, size-9))
		}
		fmt.Fprint(stderr, "CUDA error: an illegal memory access\n")
		out.Flush()
	}})
	s := &server{made: made{openFake(t).c, "c1"}}
	var got bytes.Buffer
	if err := s.Log(t.Context(), &got, time.Time{}); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(got.String(), "\n")
	const dropped = lines*size + len("CUDA error: an illegal memory access\n") - maxLog
	if want := fmt.Sprintf("first %d bytes of this log are left out", dropped); !strings.Contains(first, want) {
		t.Errorf("the first line is %q, want %q in it", first[:min(len(first), 200)], want)
	}
	if !strings.HasSuffix(rest, "\nCUDA error: an illegal memory access\n") || len(rest) != maxLog || strings.Contains(rest, "line 05") {
		t.Errorf("%d bytes kept, which end with %q", len(rest), rest[max(0, len(rest)-100):])
	}
	if tail := s.made.tail(t.Context()); tail != "CUDA error: an illegal memory access" {
		t.Errorf("the message's end of the log has %d bytes", len(tail))
	}
}

// A cause stands a hundred lines above a log's end, or more.
func TestTheEndOfALogForAMessage(t *testing.T) {
	fake(t, map[string]http.HandlerFunc{"GET /containers/c1/logs": func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("tail"))
		if err != nil {
			t.Error(err)
		}
		stderr := stdcopy.NewStdWriter(w, stdcopy.Stderr)
		for i := range n {
			fmt.Fprintf(stderr, "line %d\n", n-i)
		}
	}})
	m := made{openFake(t).c, "c1"}
	lines := strings.Split(m.tail(t.Context()), "\n")
	if len(lines) != 400 || lines[0] != "line 400" || lines[399] != "line 1" {
		t.Errorf("%d lines, from %q to %q; want the last 400", len(lines), lines[0], lines[len(lines)-1])
	}
}
