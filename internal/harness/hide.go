package harness

import (
	"bytes"
	"errors"
	"io"

	"github.com/llenergymeasure/llem/internal/launch"
)

// hidden is err without the secrets that hide hides, in its words and in the log
// that it carries: servers quote what they were started with and asked for.
func hidden(hide func(string) string, err error) error {
	if err == nil {
		return nil
	}
	var died *launch.Exited
	if errors.As(err, &died) {
		died.LogTail = hide(died.LogTail)
	}
	var late *launch.NotReady
	if errors.As(err, &late) {
		late.Last, late.LogTail = hide(late.Last), hide(late.LogTail)
	}
	if text := err.Error(); hide(text) != text {
		return hiddenError{err, hide(text)}
	}
	return err
}

// hiddenError is an error in other words.
type hiddenError struct {
	error
	text string
}

func (h hiddenError) Error() string { return h.text }
func (h hiddenError) Unwrap() error { return h.error }

// hiding hides secrets in the lines that are written through it. Flush it.
type hiding struct {
	to   io.Writer
	hide func(string) string
	rest []byte // of a line that has not ended
}

// hidingPiece bounds what is looked through at once.
const hidingPiece = 1 << 20

func (h *hiding) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		piece := p[n:min(len(p), n+hidingPiece)]
		n += len(piece)
		h.rest = append(h.rest, piece...)
		whole := bytes.LastIndexByte(h.rest, '\n') + 1
		if whole == 0 {
			continue
		}
		if _, err := io.WriteString(h.to, h.hide(string(h.rest[:whole]))); err != nil {
			return n, err
		}
		h.rest = append(h.rest[:0], h.rest[whole:]...)
	}
	return len(p), nil
}

// flush writes a last line that did not end.
func (h *hiding) flush() error {
	_, err := io.WriteString(h.to, h.hide(string(h.rest)))
	h.rest = nil
	return err
}
