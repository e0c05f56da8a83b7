package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// mostForeign bounds what is kept of a body that is no event stream, to quote it.
const mostForeign = 16 << 10

// foreign is what came in a body and is no part of an event stream, or of an answer.
type foreign struct {
	text []byte
	more bool // it went on
}

// note keeps a line, as far as there is room.
func (f *foreign) note(line []byte) {
	room := mostForeign - len(f.text)
	if room <= 0 {
		f.more = true
		return
	}
	f.more = f.more || len(line) > room
	f.text = append(append(f.text, line[:min(len(line), room)]...), '\n')
}

// failure is what a server reported as its failure outside of events; nil: nothing.
// A body in place of a stream is one value; lines of JSON may be mixed with others.
func (f *foreign) failure() error {
	if len(f.text) == 0 {
		return nil
	}
	if said := complaint(f.text); said != "" {
		return fmt.Errorf("the server reported: %s", said)
	}
	for line := range bytes.Lines(f.text) {
		if said := complaint(line); said != "" {
			return fmt.Errorf("the server reported: %s", said)
		}
	}
	return nil
}

// instead says what came in place of an event stream; kind is the answer's content type.
func (f *foreign) instead(kind string) error {
	if kind == "" {
		kind = "without a content type"
	}
	var whole struct{ Choices []json.RawMessage }
	text := bytes.TrimSpace(f.text)
	answer := json.Unmarshal(text, &whole) == nil && len(whole.Choices) > 0
	switch {
	case len(text) == 0:
		return fmt.Errorf("the server's answer is empty (200, %s)", kind)
	case answer, f.more && bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte(`"choices"`)):
		return errors.New("the server did not stream: it answered stream: true with one body of JSON (" + kind + ")")
	}
	return fmt.Errorf("the server did not stream: it answered 200 (%s) with: %s", kind, words(text))
}
