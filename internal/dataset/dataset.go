package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Bounds of what is held in memory: of one prompt, and how many a file may have.
const (
	MaxPrompt  = 10 << 20
	MaxPrompts = 10_000_000
)

// bom is the byte order mark.
var bom = []byte("\ufeff")

// promptKeys are tried in this order, as columns and as keys of an object.
var promptKeys = []string{"prompt", "text", "instruction", "input", "question"}

// Options say which file is read, and what of its rows is a prompt.
type Options struct {
	Path     string
	Name     string // of the file as errors call it; empty: Path
	Column   string // that holds prompts, alone; empty: what the columns' names say
	Template string // by which they are put together; empty: the same

	shape *shape
}

// File is a file that prompts were read from.
type File struct {
	Digest string // SHA-256, hexadecimal
	// LeftOut counts rows that were passed over, by why: a prompt that is empty, or
	// the same as an earlier one, which a prefix cache would answer.
	LeftOut map[string]int
	// Template is how columns were put together: each in braces, parted by blank lines.
	Template string
	NotSent  []string // columns with values that were not
}

// Why rows are left out.
const (
	leftEmpty    = "empty"
	leftRepeated = "repeated"
)

// maxFile bounds a file of prompts, whose texts are held in memory.
const maxFile = 4 << 30

// Cache keeps what the last file held, so that the points of a study that all read one
// do not read it again. The zero value is ready; it is for one goroutine.
type Cache struct {
	of   Options
	list []string
	file File
	err  error
}

// Read reads the prompts of a file, none empty and no two the same, once for equal
// options. The first bad row is an error that names it. What it returns is not to be changed.
func (c *Cache) Read(o Options) ([]string, File, error) {
	if c.of != o {
		*c = Cache{of: o}
		if c.list, c.file, c.err = o.texts(); c.err != nil {
			c.err = fmt.Errorf("workload.source: %w", c.err)
		}
	}
	return c.list, c.file, c.err
}

func (o Options) texts() (texts []string, file File, err error) {
	o.Name = cmp.Or(o.Name, o.Path)
	read, err := reader(o)
	if err != nil {
		return nil, file, err
	}
	f, err := OpenRegular(o.Path, o.Name, maxFile)
	if err != nil {
		return nil, file, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, file, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, file, err
	}
	file = File{Digest: hex.EncodeToString(sum.Sum(nil)), LeftOut: map[string]int{}}
	if o.shape, err = newShape(o.Column, o.Template); err != nil {
		return nil, file, err
	}
	texts, err = distinct(f, o, read, file.LeftOut)
	file.Template, file.NotSent = o.shape.stated(), o.shape.unsent()
	return texts, file, err
}

// distinct are the prompts of f, none empty and no two the same.
func distinct(f *os.File, o Options, read source, left map[string]int) ([]string, error) {
	var texts []string
	seen := map[string]bool{}
	bytes := 0
	err := read(f, o, func(place string, r *entry) error {
		text, err := o.shape.prompt(r)
		switch {
		case err != nil:
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		case len(texts) == MaxPrompts:
			return fmt.Errorf("%s%s: the file has over %d prompts, which is the limit: take a part of it", o.Name, place, MaxPrompts)
		case bytes+len(text) > maxFile:
			return fmt.Errorf("%s%s: the prompts are over %d GiB, which is the limit, and are held in memory: take a part of the file", o.Name, place, maxFile>>30)
		case !utf8.ValidString(text):
			return fmt.Errorf("%s%s: the prompt is not UTF-8", o.Name, place)
		case len(text) > MaxPrompt:
			return fmt.Errorf("%s%s: the prompt is over %d MiB", o.Name, place, MaxPrompt>>20)
		case strings.TrimSpace(text) == "":
			left[leftEmpty]++
		case seen[text]:
			left[leftRepeated]++
		default:
			seen[text] = true
			bytes += len(text)
			texts = append(texts, text)
		}
		return nil
	})
	return texts, err
}

// LeftOut says in words how many rows of a file were passed over; empty: none.
func LeftOut(left map[string]int) string {
	var out []string
	for _, why := range []string{leftEmpty, leftRepeated} {
		if n := left[why]; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, why))
		}
	}
	return strings.Join(out, " and ")
}

// WithoutBOM reads a file from behind a byte order mark.
func WithoutBOM(f io.Reader) *bufio.Reader {
	in := bufio.NewReader(f)
	if head, err := in.Peek(len(bom)); err == nil && bytes.Equal(head, bom) {
		_, _ = in.Discard(len(bom)) // they are in the buffer
	}
	return in
}

// OpenRegular opens a file of at most so many bytes that is one, and not a pipe, which
// would be waited for. name is what errors call it.
func OpenRegular(path, name string, most int64) (*os.File, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case st.Size() > most:
		return nil, fmt.Errorf("%s is over %d GiB, which is the limit, and is held in memory: take a part of it", name, most>>30)
	}
	return os.Open(path)
}
