package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable returns s with every character that a terminal or a reader's eye could
// be misled by written as \uXXXX: control characters (escape sequences, carriage
// returns), format characters (bidirectional marks, zero-width ones), line and
// paragraph separators, and bytes that are not UTF-8. Line feeds and tabs stay.
// Inside a JSON string the result means the same.
func printable(s string) string {
	if strings.IndexFunc(s, misleads) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\u%04x`, s[0])
		case r > 0xffff && misleads(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case misleads(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func misleads(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case '\u2028', '\u2029':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// PrintableWriter passes on what is written to it as [printable] makes it, without
// what Hide takes out; nil takes nothing. A character may be split over two calls; its
// beginning is kept until the rest comes.
type PrintableWriter struct {
	To   io.Writer
	Hide func(string) string
	rest []byte // the beginning of a character
}

// Write reports the bytes of p that were taken, as io.Writer asks.
func (w *PrintableWriter) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if at := len(text) - i; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				whole = at
			}
			break
		}
	}
	w.rest = append([]byte(nil), text[whole:]...)
	out := string(text[:whole])
	if w.Hide != nil {
		out = w.Hide(out)
	}
	if _, err := io.WriteString(w.To, printable(out)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// clean makes one printable line of s.
func clean(s string) string {
	return printable(strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\v\f\r\u0085\u2028\u2029", r) {
			return ' '
		}
		return r
	}, s))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// shorten keeps the first 12 digits of a digest.
func shorten(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok || len(hex) < 12 {
		return digest
	}
	return algorithm + ":" + hex[:12]
}

func dash(s string) string { return cmp.Or(s, "–") }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
