package load

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// events feeds text in the given pieces and returns the data of each event.
func events(t testing.TB, pieces ...string) []string {
	t.Helper()
	var s scanner
	var out []string
	for _, p := range pieces {
		if err := s.feed([]byte(p), func(b []byte) error { out = append(out, string(b)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestScannerReadsEventsHoweverTheyAreCut(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"LF", "data: a\n\ndata: b\n\n", []string{"a", "b"}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}},
		{"CR", "data: a\r\rdata: b\r\r", []string{"a", "b"}},
		{"mixed", "data: a\r\n\ndata: b\n\r\n", []string{"a", "b"}},
		{"comments", ": ping\n\ndata: a\n: ping\n\n:\n\n", []string{"a"}},
		{"other fields", "event: message\nid: 1\nretry: 5\ndata: a\n\n", []string{"a"}},
		{"data of several lines", "data: a\ndata: b\n\n", []string{"a\nb"}},
		{"one space is taken off", "data:a\n\ndata:  b\n\n", []string{"a", " b"}},
		{"empty data", "data\n\ndata:\n\n", []string{"", ""}},
		{"a longer field name is none", "database: a\n\n", nil},
		{"byte order mark", "\ufeffdata: a\n\n", []string{"a"}},
		{"unfinished", "data: a\n\ndata: b\n", []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for cut := range len(c.text) + 1 {
				if got := events(t, c.text[:cut], c.text[cut:]); !slices.Equal(got, c.want) {
					t.Fatalf("cut at %d: got %q, want %q", cut, got, c.want)
				}
			}
			if got := events(t, strings.Split(c.text, "")...); !slices.Equal(got, c.want) {
				t.Errorf("byte by byte: got %q, want %q", got, c.want)
			}
		})
	}
}

func TestScannerBoundsAnEvent(t *testing.T) {
	line := append(append([]byte("data: "), bytes.Repeat([]byte{'x'}, maxEvent+1)...), '\n', '\n')
	for name, text := range map[string][]byte{
		"one line":   line,
		"no newline": line[:len(line)-2],
		"many lines": bytes.Repeat([]byte("data: "+strings.Repeat("x", 1<<20)+"\n"), 9),
	} {
		var s scanner
		var err error
		for piece := range slices.Chunk(text, 32<<10) {
			if err = s.feed(piece, func([]byte) error { return nil }); err != nil {
				break
			}
		}
		if !errors.Is(err, errEventTooLong) {
			t.Errorf("%s: error %v, want %v", name, err, errEventTooLong)
		}
	}
}

// What is too long does not depend on how it came: a line of exactly the limit
// is taken, one byte more is not.
func TestScannerBoundsALineHoweverItIsCut(t *testing.T) {
	for field, over := range map[string]int{"data: ": 0, ": ": 0, "data:": 1, ":": 1} {
		text := []byte(field + strings.Repeat("x", maxEvent-len(field)+over) + "\n\n")
		for _, size := range []int{len(text), maxEvent, 1 << 20} {
			var s scanner
			var err error
			for piece := range slices.Chunk(text, size) {
				if err = s.feed(piece, func([]byte) error { return nil }); err != nil {
					break
				}
			}
			if errors.Is(err, errEventTooLong) != (over > 0) {
				t.Errorf("%q and %d over the limit, in pieces of %d: error %v", field, over, size, err)
			}
		}
	}
}

func TestScannerReturnsTheReadersError(t *testing.T) {
	stop := errors.New("stop")
	var s scanner
	if err := s.feed([]byte("data: a\n\ndata: b\n\n"), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
}

// However a stream is cut into reads, its events are the same.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("data: a\r\n\r\n: ping\ndata\ndata:b\n\n"), []byte{3, 0, 1})
	f.Add([]byte("\ufeffdata: {}\r\rdata: [DONE]\n\n"), []byte{1})
	f.Fuzz(func(t *testing.T, text, sizes []byte) {
		if len(sizes) == 0 {
			return
		}
		whole := events(t, string(text))
		var pieces []string
		for i, rest := 0, string(text); rest != ""; i++ {
			n := min(int(sizes[i%len(sizes)])+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if got := events(t, pieces...); !slices.Equal(got, whole) {
			t.Errorf("in pieces %q: got %q, want %q", pieces, got, whole)
		}
	})
}
