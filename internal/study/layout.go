package study

import (
	"bytes"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// layout finds nodes in a file's bytes.
type layout struct {
	data   []byte
	lines  []int // offset of each line
	starts []int // the lines on which nodes begin, in order
}

var lineBreak = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]") // as the parser counts lines

func newLayout(data []byte, root *yaml.Node) layout {
	l := layout{data: data, lines: []int{0}}
	for _, m := range lineBreak.FindAllIndex(data, -1) {
		l.lines = append(l.lines, m[1])
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		l.starts = append(l.starts, n.Line)
		for _, c := range n.Content {
			walk(c)
		}
	}
	if root != nil {
		walk(root)
	}
	slices.Sort(l.starts)
	return l
}

// bounds are the offsets of a line, counted from 1, without its break.
func (l layout) bounds(line int) (from, to int) {
	from, to = l.lines[line-1], len(l.data)
	if line < len(l.lines) {
		to = l.lines[line]
	}
	if m := lineBreak.FindIndex(l.data[from:to]); m != nil {
		to = from + m[0]
	}
	return from, to
}

// offset is where a node begins; columns count characters.
func (l layout) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(l.lines) {
		return len(l.data)
	}
	at := l.lines[n.Line-1]
	if n.Line == 1 {
		at += len(l.data) - len(bytes.TrimPrefix(l.data, []byte("\ufeff")))
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(l.data[at:])
		at += size
	}
	return at
}

// span is a part of a file. lines says that it ends with a line.
type span struct {
	from, to int
	lines    bool
}

// spans are where the nodes' values stand, in order. It is false where one
// cannot be found.
func (l layout) spans(nodes []*yaml.Node) ([]span, bool) {
	var out []span
	for _, n := range nodes {
		s, ok := l.span(n)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b span) int { return a.from - b.from })
	return out, true
}

var property = regexp.MustCompile(`^[&!]\S*\s+`) // an anchor or a tag

func (l layout) span(n *yaml.Node) (span, bool) {
	from := l.offset(n)
	for m := property.Find(l.data[from:]); m != nil; m = property.Find(l.data[from:]) {
		from += len(m)
	}
	rest := l.data[from:]
	length := -1
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return span{from, l.blockEnd(n), true}, true
	case n.Style&yaml.DoubleQuotedStyle != 0:
		length = len(doubleQuoted.Find(rest))
	case n.Style&yaml.SingleQuotedStyle != 0:
		length = len(singleQuoted.Find(rest))
	default:
		length = plainLength(rest, n.Value)
	}
	return span{from, from + length, false}, length > 0
}

var (
	doubleQuoted = regexp.MustCompile(`(?s)^"([^"\\]|\\.)*"`)
	singleQuoted = regexp.MustCompile(`(?s)^'([^']|'')*'`)
)

// plainLength is how far a text goes that is written without quotes: only its
// spaces may stand otherwise.
func plainLength(data []byte, value string) int {
	at := 0
	for _, r := range value {
		if unicode.IsSpace(r) {
			continue
		}
		got, size := utf8.DecodeRune(data[at:])
		for size > 0 && unicode.IsSpace(got) {
			at += size
			got, size = utf8.DecodeRune(data[at:])
		}
		if got != r {
			return -1
		}
		at += size
	}
	return at
}

// blockEnd is the end of a block scalar: the line on which the next node begins.
// Comments between the two go with it.
func (l layout) blockEnd(n *yaml.Node) int {
	i, _ := slices.BinarySearch(l.starts, n.Line+1)
	if i < len(l.starts) && l.starts[i] <= len(l.lines) {
		return l.lines[l.starts[i]-1]
	}
	return len(l.data)
}
