package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// widest is the most columns that a table takes, for a page or an e-mail; only
// a word that cannot be broken, such as a path, goes beyond it.
const widest = 80

// printer builds a table; its lines are written at once at the end.
type printer struct {
	b     strings.Builder
	r     *result.Record
	width int
	// thousands stand apart
	grouped bool
}

func newPrinter(r *result.Record, opt Options) *printer {
	p := &printer{r: r, width: widest, grouped: opt.Grouped}
	if opt.Width > 0 {
		p.width = min(widest, max(60, opt.Width))
	}
	return p
}

func (p *printer) print(w io.Writer) error {
	text := p.b.String()
	if p.grouped {
		text = strings.ReplaceAll(text, group, " ")
	} else {
		text = inColumns.ReplaceAllStringFunc(text, func(cell string) string {
			return strings.Repeat(" ", strings.Count(cell, group)) + strings.ReplaceAll(cell, group, "")
		})
	}
	_, err := io.WriteString(w, strings.ReplaceAll(text, hard, " "))
	return err
}

// inColumns is a cell with thousands apart, and the spaces that push it to the right.
var inColumns = regexp.MustCompile(` +[^ \n]*` + group + `[^ \n]*`)

func (p *printer) section(name string) { fmt.Fprintf(&p.b, "\n%s\n", name) }

// indent is where the values of rows begin.
var indent = strings.Repeat(" ", 23)

// row writes "  label   value", sanitised, and wraps the value.
func (p *printer) row(label, format string, args ...any) {
	p.wrap(fmt.Sprintf("  %-20s ", label), indent, fmt.Sprintf(format, args...))
}

// wrap writes text behind a first prefix, its later lines behind another.
func (p *printer) wrap(first, rest, text string) {
	if !p.grouped {
		text = strings.ReplaceAll(text, group, "")
	}
	line, fresh := first, true
	for word := range strings.SplitSeq(clean(text), " ") {
		switch {
		case word == "":
		case fresh:
			line, fresh = line+word, false
		case columns(line)+1+columns(word) > p.width:
			fmt.Fprintln(&p.b, line)
			line = rest + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(&p.b, strings.TrimRight(line, " "))
}

func columns(s string) int { return len([]rune(s)) }

// clean makes one printable line of s.
func clean(s string) string {
	return Printable(strings.Map(func(r rune) rune {
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

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// known joins what is not a dash; a dash when nothing is.
func known(values ...string) string {
	values = slices.DeleteFunc(values, func(v string) bool { return v == "–" })
	return dash(strings.Join(values, ", "))
}
