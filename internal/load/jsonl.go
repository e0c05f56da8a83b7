package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"unicode/utf8"
)

// maxPromptLine bounds one line of a prompts file.
const maxPromptLine = 10 << 20

// promptKeys are tried in this order.
var promptKeys = []string{"prompt", "text", "instruction", "input", "question"}

// JSONLOptions say which prompts of a file are sent.
type JSONLOptions struct {
	Path         string
	N            int
	Rest         bool    // the others too, which follow the first N
	Seconds      float64 // workload.min_seconds, where it is why they are N; else 0
	OutputTokens int
	Shuffle      bool
	Seed         int64
}

// ReadJSONL reads prompts from a file of JSON objects, one a line, and the
// file's SHA-256. Text of unknown token length is sent whole. Blank lines are
// passed over; the first bad line is an error that names it.
func ReadJSONL(o JSONLOptions) (reqs []Request, digest string, err error) {
	st, err := os.Stat(o.Path) // before it is opened, which waits for a pipe's writer
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("workload.source: %w", err)
	case !st.Mode().IsRegular():
		return nil, "", fmt.Errorf("workload.source: %s is not a regular file", o.Path)
	}
	f, err := os.Open(o.Path)
	if err != nil {
		return nil, "", fmt.Errorf("workload.source: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	texts, err := readPrompts(io.TeeReader(f, sum), o.Path)
	if err != nil {
		return nil, "", err
	}
	switch {
	case len(texts) == 0:
		return nil, "", fmt.Errorf("workload.source: %s holds no prompt", o.Path)
	case len(texts) < o.N && o.Seconds > 0:
		return nil, "", fmt.Errorf("workload.source: %s holds %d prompts, and %d requests are due within workload.min_seconds %g: lower it (prompts are never repeated, a prefix cache would answer them)", o.Path, len(texts), o.N, o.Seconds)
	case len(texts) < o.N:
		return nil, "", fmt.Errorf("workload.source: %s holds %d prompts, workload.prompts asks for %d: set workload.prompts: %d (prompts are never repeated, a prefix cache would answer them)", o.Path, len(texts), o.N, len(texts))
	}
	if o.Shuffle {
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
	return reqs, hex.EncodeToString(sum.Sum(nil)), nil
}

func readPrompts(r io.Reader, path string) ([]string, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxPromptLine)
	var texts []string
	n := 0
	for s.Scan() {
		n++
		line := bytes.TrimSpace(s.Bytes())
		if n == 1 {
			line = bytes.TrimPrefix(line, bom)
		}
		if len(line) == 0 {
			continue
		}
		text, err := promptOf(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		texts = append(texts, text)
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: the line is over %d MiB", path, n+1, maxPromptLine>>20)
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return texts, nil
}

// promptOf takes the prompt out of one line.
func promptOf(line []byte) (string, error) {
	if !utf8.Valid(line) {
		return "", errors.New("the line is not UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return "", fmt.Errorf("not a JSON object: %v", err)
	}
	for _, key := range promptKeys {
		raw, ok := object[key]
		if !ok {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return "", fmt.Errorf("%q is not a string", key)
		}
		if text == "" {
			return "", fmt.Errorf("%q is empty", key)
		}
		return withInput(key, text, object["input"]), nil
	}
	return "", fmt.Errorf("none of the keys prompt, text, instruction, input, question")
}

// withInput puts an instruction's input below it, as such data sets mean it.
func withInput(key, text string, raw json.RawMessage) string {
	var input string
	if key != "instruction" || json.Unmarshal(raw, &input) != nil || input == "" {
		return text
	}
	return text + "\n\n" + input
}
