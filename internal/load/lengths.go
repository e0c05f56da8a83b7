package load

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/draw"
	"github.com/llenergymeasure/llem/internal/study"
)

// Size is the length of one request in tokens.
type Size struct{ Input, Output int }

// Sizes tell the length of each request of a stream, by its number from 0.
type Sizes func(i int) Size

// Streams of the generator that lengths are drawn from, apart from prompts and
// arrivals.
const (
	inputs  = 0x696e70757473 << 8
	outputs = 0x6f757470757473 << 8
)

// sizes are the lengths of w's requests; nil: all are as long as they may be. Each
// depends on seed and number alone. digest is of the file that tells them.
func sizes(w study.Workload, seed int64) (of Sizes, digest string, err error) {
	l := w.Lengths
	if l == (study.Lengths{}) {
		return nil, "", nil
	}
	input := drawnFrom(l.Input, w.Prefix.Length+study.OwnTokens, w.MaxInputTokens, seed, inputs)
	output := drawnFrom(l.Output, 1, w.MaxOutputTokens, seed, outputs)
	if l.File != "" {
		rows, d, err := readLengths(l.File, w)
		if err != nil {
			return nil, "", fmt.Errorf("workload.lengths.file: %w", err)
		}
		told := func(of func(Size) int) func(int) int {
			return func(i int) int { return of(rows[i%len(rows)]) }
		}
		digest = d
		if rows[0].Input > 0 {
			input = told(func(s Size) int { return s.Input })
		}
		if rows[0].Output > 0 {
			output = told(func(s Size) int { return s.Output })
		}
	}
	return func(i int) Size { return Size{input(i), output(i)} }, digest, nil
}

// drawnFrom are lengths from least to most tokens; without a distribution all are as
// long as they may be.
func drawnFrom(text string, least, most int, seed int64, stream uint64) func(i int) int {
	dist, ok := study.ReadDistribution(text)
	if !ok {
		return func(int) int { return most }
	}
	return func(i int) int {
		return length(draw.New(uint64(seed), stream+uint64(i)), dist, least, most)
	}
}

// length draws one from least to most tokens: what falls outside is drawn again, so that
// the distribution is cut there, and nothing heaps up at its ends.
func length(d *draw.Source, of study.Distribution, least, most int) int {
	switch of.Name {
	case "uniform":
		return int(of.A) + min(int(d.Uniform()*(of.B-of.A+1)), int(of.B-of.A))
	case "lognormal":
		s2 := math.Log1p(of.B * of.B / (of.A * of.A))
		mu, sigma := math.Log(of.A)-s2/2, math.Sqrt(s2)
		return within(least, most, func() float64 { return math.Exp(mu + sigma*d.Normal()) })
	}
	return within(least, most, func() float64 { return of.A + of.B*d.Normal() })
}

// tries bounds how often a length is drawn; one in a few is within its bounds.
const tries = 10_000

func within(least, most int, next func() float64) int {
	for range tries {
		if n := math.Round(next()); n >= float64(least) && n <= float64(most) {
			return int(n)
		}
	}
	return most
}

// lengthColumns are those of a file of lengths; either may be missing.
var lengthColumns = []string{"input_tokens", "output_tokens"}

// readLengths reads a CSV file of lengths, one request a row, and its SHA-256. A
// column that it does not have is 0 in every row.
func readLengths(path string, w study.Workload) (rows []Size, digest string, err error) {
	f, err := dataset.OpenRegular(path, path, maxLengths)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	sum := sha256.New()
	limit := &dataset.Bounded{R: dataset.WithoutBOM(io.TeeReader(f, sum)), Most: maxLengthsRow}
	r := csv.NewReader(limit)
	r.TrimLeadingSpace, r.ReuseRecord = true, true
	head, err := r.Read()
	switch {
	case errors.Is(err, dataset.ErrRow):
		return nil, "", fmt.Errorf("%s:1: the row is over %d MiB, which is the limit", path, maxLengthsRow>>20)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	at := [2]int{slices.Index(head, lengthColumns[0]), slices.Index(head, lengthColumns[1])}
	if at[0] < 0 && at[1] < 0 {
		return nil, "", fmt.Errorf("%s:1: none of the columns %s", path, strings.Join(lengthColumns, " and "))
	}
	for i, told := range []string{w.Lengths.Input, w.Lengths.Output} {
		if at[i] >= 0 && told != "" {
			return nil, "", fmt.Errorf("%s has %s, and workload.lengths says %s: leave one of them out", path, lengthColumns[i], told)
		}
	}
	most := [2]int{w.MaxInputTokens, w.MaxOutputTokens}
	names := [2]string{"workload.max_input_tokens", "workload.max_output_tokens"}
	for {
		limit.Begin(r.InputOffset())
		before, _ := r.FieldPos(0)
		row, err := r.Read()
		switch {
		case len(rows) > dataset.MaxPrompts:
			return nil, "", fmt.Errorf("%s has over %d rows, which is the limit", path, dataset.MaxPrompts)
		case errors.Is(err, dataset.ErrRow):
			return nil, "", fmt.Errorf("%s: the row after line %d is over %d MiB, which is the limit", path, before, maxLengthsRow>>20)
		case errors.Is(err, io.EOF) && len(rows) == 0:
			return nil, "", fmt.Errorf("%s holds no length", path)
		case errors.Is(err, io.EOF):
			return rows, hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		var size [2]int
		for i, column := range at {
			if column < 0 {
				continue
			}
			n, err := strconv.Atoi(strings.TrimSpace(row[column]))
			switch {
			case err != nil || n < 1:
				return nil, "", fmt.Errorf("%s:%d: %q is no number of tokens, which is at least 1", path, line, row[column])
			case i == 0 && w.Prefix.Length > 0 && n < w.Prefix.Length+study.OwnTokens:
				return nil, "", fmt.Errorf("%s:%d: a prompt of %d tokens leaves fewer than %d of its own after the %d of workload.shared_prefix", path, line, n, study.OwnTokens, w.Prefix.Length)
			case n > most[i]:
				return nil, "", fmt.Errorf("%s:%d: %d tokens are more than %s %d: raise it", path, line, n, names[i], most[i])
			}
			size[i] = n
		}
		rows = append(rows, Size{size[0], size[1]})
	}
}

// maxLengths bounds a file of lengths, which are held in memory, and maxLengthsRow one
// row of it.
const (
	maxLengths    = 1 << 30
	maxLengthsRow = 1 << 20
)
