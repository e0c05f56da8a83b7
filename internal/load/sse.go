package load

import (
	"bytes"
	"errors"
	"fmt"
)

// maxEvent bounds one event of a stream, and one line of it.
const maxEvent = 8 << 20

var errEventTooLong = errors.New("an event of the stream is longer than llem reads of one")

func (s *scanner) tooLong() error { return fmt.Errorf("%w (%d bytes)", errEventTooLong, s.limit()) }

// limit is the longest event.
func (s *scanner) limit() int {
	if s.most > 0 {
		return s.most
	}
	return maxEvent
}

// scanner splits a stream of server-sent events into the data of each event,
// wherever the stream is cut into reads. Lines end in LF, CRLF or CR; comments
// (keep-alive pings), ids and retry times are passed over. A line that is of no
// event is noted as foreign.
type scanner struct {
	line    []byte // an unfinished line
	data    []byte // of the event so far
	hasData bool
	failing bool // the event so far is named as a failure, or has a field error
	foreign foreign
	begun   bool // the byte order mark was looked for
	skipLF  bool // the last line ended in CR
	most    int  // bytes of an event; 0: maxEvent
}

var bom = []byte("\ufeff")

// feed takes the next bytes and calls emit with the data of each event that
// they complete. The slice is only good until emit returns.
func (s *scanner) feed(p []byte, emit func([]byte) error) error {
	for len(p) > 0 {
		if s.skipLF {
			s.skipLF = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		i := bytes.IndexByte(p, '\n')
		if cr := bytes.IndexByte(p[:end(i, len(p))], '\r'); cr >= 0 {
			i = cr
		}
		if i < 0 {
			s.line = append(s.line, p...)
			if len(s.line) > s.limit() {
				return s.tooLong()
			}
			return nil
		}
		line := p[:i]
		if len(s.line) > 0 {
			s.line = append(s.line, line...)
			line = s.line
		}
		s.skipLF = p[i] == '\r'
		p = p[i+1:]
		if err := s.take(line, emit); err != nil {
			return err
		}
		s.line = s.line[:0]
	}
	return nil
}

// end is i, or n where i is not found.
func end(i, n int) int {
	if i < 0 {
		return n
	}
	return i
}

// take handles one whole line.
func (s *scanner) take(line []byte, emit func([]byte) error) error {
	if len(line) > s.limit() { // as if it had come in pieces
		return s.tooLong()
	}
	if !s.begun {
		s.begun = true
		line = bytes.TrimPrefix(line, bom)
	}
	if len(line) == 0 {
		if !s.hasData && !s.failing {
			return nil
		}
		err := emit(s.data)
		s.data, s.hasData, s.failing = s.data[:0], false, false
		return err
	}
	value, ok := bytes.CutPrefix(line, []byte("data"))
	if !ok || len(value) > 0 && value[0] != ':' {
		if value, ok = s.field(line); !ok {
			return nil
		}
	} else if len(value) > 0 {
		value = bytes.TrimPrefix(value[1:], []byte(" "))
	}
	return s.add(value)
}

// field looks at a line that is not data. A field error, which the standard does not
// know and servers send, is data of a failing event.
func (s *scanner) field(line []byte) (value []byte, isData bool) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch {
	case len(name) == 0, string(name) == "id", string(name) == "retry":
	case string(name) == "event":
		s.failing = s.failing || names(string(value))
	case bytes.EqualFold(name, []byte("error")):
		s.failing = true
		return value, true
	default:
		s.foreign.note(line)
	}
	return nil, false
}

// end takes what a stream that ended left unfinished: its last line, and its last
// event, which no blank line followed.
func (s *scanner) end(emit func([]byte) error) error {
	if len(s.line) > 0 {
		line := s.line
		s.line = nil
		if err := s.take(line, emit); err != nil {
			return err
		}
	}
	return s.take(nil, emit)
}

// add takes data of the event at hand.
func (s *scanner) add(value []byte) error {
	if s.hasData {
		s.data = append(s.data, '\n')
	}
	if len(s.data)+len(value) > s.limit() {
		return s.tooLong()
	}
	s.data, s.hasData = append(s.data, value...), true
	return nil
}
