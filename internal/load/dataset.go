package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of what is held in memory: of one prompt, and how many a file may have.
const (
	maxPrompt  = 10 << 20
	maxPrompts = 10_000_000
)

// promptKeys are tried in this order, as columns and as keys of an object.
var promptKeys = []string{"prompt", "text", "instruction", "input", "question"}

// PromptsOptions say which prompts of a file are sent.
type PromptsOptions struct {
	Files        *PromptFiles // where several points read one file; nil: it is read anew
	Path         string
	Name         string // of the file as errors call it; empty: Path
	Column       string // that holds them, alone; empty: what the columns' names say
	Template     string // by which they are put together; empty: the same
	N            int
	Rest         bool    // the others too, which follow the first N
	Seconds      float64 // workload.min_seconds, where it is why they are N; else 0
	OutputTokens int
	Shuffle      bool
	Seed         int64

	shape *shape
}

// PromptsFile is a file that prompts were read from.
type PromptsFile struct {
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

// source reads the rows of a file in order.
type source func(f *os.File, o PromptsOptions, add func(place string, r *entry) error) error

// sources read the rows of a file in order, by its extension, and call add with
// each and with where it stands, in words that follow the file's name.
var sources = map[string]source{
	".jsonl": jsonLines, ".json": jsonArray, ".csv": csvRows, ".parquet": parquetRows,
}

// ReadPrompts reads prompts from a file: JSON objects, one a line (.jsonl) or in an
// array (.json), or a column of a table (.csv, .parquet). Text of unknown token
// length is sent whole. The first row that is none is an error that names it.
func ReadPrompts(o PromptsOptions) (reqs []Request, file PromptsFile, err error) {
	if o.Name == "" {
		o.Name = o.Path
	}
	reqs, file, err = readPrompts(o)
	if err != nil {
		err = fmt.Errorf("workload.source: %w", err)
	}
	return reqs, file, err
}

func readPrompts(o PromptsOptions) (reqs []Request, file PromptsFile, err error) {
	read, ok := sources[filepath.Ext(o.Path)]
	if !ok {
		return nil, file, fmt.Errorf("%s is no file of prompts: it ends neither in .jsonl nor in .json, .csv or .parquet", o.Name)
	}
	texts, file, err := o.Files.texts(o, read)
	if err != nil {
		return nil, file, err
	}
	if err := o.enough(len(texts), file.LeftOut); err != nil {
		return nil, file, err
	}
	if o.Shuffle {
		texts = slices.Clone(texts) // others may read them too
		rng := rand.New(rand.NewPCG(uint64(o.Seed), 2))
		rng.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
	}
	if !o.Rest {
		texts = texts[:o.N]
	}
	for i, text := range texts {
		r := Request{ID: i, Prompt: text, MaxOutputTokens: o.OutputTokens}
		r.Hash = hash(r)
		reqs = append(reqs, r)
	}
	return reqs, file, nil
}

// maxFile bounds a file of prompts, whose texts are held in memory.
const maxFile = 4 << 30

// PromptFiles keeps what the last file held, so that the points of a study that all
// read one do not read it anew. The zero value is ready; it is for one goroutine.
type PromptFiles struct {
	path, column, template string
	list                   []string
	file                   PromptsFile
	err                    error
}

// texts are the prompts of a file, none empty and no two the same. They are not to be
// changed.
func (p *PromptFiles) texts(o PromptsOptions, read source) ([]string, PromptsFile, error) {
	if p == nil {
		p = &PromptFiles{}
	}
	if p.path != o.Path || p.column != o.Column || p.template != o.Template {
		*p = PromptFiles{path: o.Path, column: o.Column, template: o.Template}
		p.list, p.file, p.err = o.texts(read)
	}
	return p.list, p.file, p.err
}

func (o PromptsOptions) texts(read source) (texts []string, file PromptsFile, err error) {
	f, err := openRegular(o.Path, o.Name, maxFile)
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
	file = PromptsFile{Digest: hex.EncodeToString(sum.Sum(nil)), LeftOut: map[string]int{}}
	if o.shape, err = newShape(o.Column, o.Template); err != nil {
		return nil, file, err
	}
	texts, err = distinct(f, o, read, file.LeftOut)
	file.Template, file.NotSent = o.shape.stated(), o.shape.unsent()
	return texts, file, err
}

// distinct are the prompts of f, none empty and no two the same.
func distinct(f *os.File, o PromptsOptions, read source, left map[string]int) ([]string, error) {
	var texts []string
	seen := map[string]bool{}
	bytes := 0
	err := read(f, o, func(place string, r *entry) error {
		text, err := o.shape.prompt(r)
		switch {
		case err != nil:
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		case len(texts) == maxPrompts:
			return fmt.Errorf("%s%s: the file has over %d prompts, which is the limit: take a part of it", o.Name, place, maxPrompts)
		case bytes+len(text) > maxFile:
			return fmt.Errorf("%s%s: the prompts are over %d GiB, which is the limit, and are held in memory: take a part of the file", o.Name, place, maxFile>>30)
		case !utf8.ValidString(text):
			return fmt.Errorf("%s%s: the prompt is not UTF-8", o.Name, place)
		case len(text) > maxPrompt:
			return fmt.Errorf("%s%s: the prompt is over %d MiB", o.Name, place, maxPrompt>>20)
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

// enough refuses a file of fewer prompts than are sent.
func (o PromptsOptions) enough(n int, left map[string]int) error {
	beside := ""
	if words := LeftOut(left); words != "" {
		beside = " beside " + words + ", which are left out"
	}
	switch {
	case n == 0:
		return fmt.Errorf("%s holds no prompt%s", o.Name, beside)
	case n < o.N && o.Seconds > 0:
		return fmt.Errorf("%s holds %d prompts%s, and %d requests are due within workload.min_seconds %g: lower it (prompts are never repeated, a prefix cache would answer them)", o.Name, n, beside, o.N, o.Seconds)
	case n < o.N:
		return fmt.Errorf("%s holds %d prompts%s, workload.prompts asks for %d: set workload.prompts: %d (prompts are never repeated, a prefix cache would answer them)", o.Name, n, beside, o.N, n)
	}
	return nil
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

// withoutBOM reads a file from behind a byte order mark.
func withoutBOM(f io.Reader) *bufio.Reader {
	in := bufio.NewReader(f)
	if head, err := in.Peek(len(bom)); err == nil && bytes.Equal(head, bom) {
		_, _ = in.Discard(len(bom)) // they are in the buffer
	}
	return in
}

// openRegular opens a file of at most so many bytes that is one, and not a pipe, which
// would be waited for. name is what errors call it.
func openRegular(path, name string, most int64) (*os.File, error) {
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
