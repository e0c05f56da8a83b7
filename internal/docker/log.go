package docker

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// maxLog is what is kept of a container's log, in bytes.
const maxLog = 64 << 20

// Log copies what the container wrote, standard output and error as they came.
// Of a longer log it keeps the last 64 MiB, where a failure is told, and says so
// in the first line.
func (s *server) Log(ctx context.Context, w io.Writer, since time.Time) error {
	kept := ending{max: maxLog}
	if err := s.made.logs(ctx, container.LogsOptions{Tail: "all", Since: stamp(since)}, &kept); err != nil {
		return err
	}
	if kept.dropped > 0 {
		if _, err := fmt.Fprintf(w, "[llem: the first %d bytes of this log are left out, its last %d MiB follow]\n", kept.dropped, maxLog>>20); err != nil {
			return err
		}
	}
	return kept.copyTo(w)
}

// stamp is a time as the daemon takes it; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

func (m made) logs(ctx context.Context, of container.LogsOptions, w io.Writer) error {
	of.ShowStdout, of.ShowStderr = true, true
	body, err := m.c.ContainerLogs(ctx, m.id, of)
	if err != nil {
		return fmt.Errorf("read the container's log: %w", err)
	}
	defer body.Close()
	if _, err := stdcopy.StdCopy(w, w, body); err != nil {
		return fmt.Errorf("read the container's log: %w", err)
	}
	return nil
}

// tail is the end of the log, for a message; of an endless line it is its end too.
// A line whose beginning did not fit is left out: a secret in it would not be told
// by its end.
func (m made) tail(ctx context.Context) string {
	kept := ending{max: maxTail}
	if err := m.logs(ctx, container.LogsOptions{Tail: tailLines}, &kept); err != nil {
		return ""
	}
	var b strings.Builder
	_ = kept.copyTo(&b) // never fails
	text := strings.TrimSpace(b.String())
	if _, whole, ok := strings.Cut(text, "\n"); ok && kept.dropped > 0 {
		return whole
	}
	return text
}

// ending keeps the last max bytes of what is written to it.
type ending struct {
	max     int
	buf     []byte
	at      int // where the oldest byte is, once buf is full
	dropped int64
}

func (e *ending) Write(p []byte) (int, error) {
	n := len(p)
	room := min(e.max-len(e.buf), n)
	e.buf = append(e.buf, p[:room]...)
	for p = p[room:]; len(p) > 0; {
		k := copy(e.buf[e.at:], p)
		e.at = (e.at + k) % e.max
		e.dropped += int64(k)
		p = p[k:]
	}
	return n, nil
}

func (e *ending) copyTo(w io.Writer) error {
	if _, err := w.Write(e.buf[e.at:]); err != nil {
		return err
	}
	_, err := w.Write(e.buf[:e.at])
	return err
}
