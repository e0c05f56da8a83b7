package load

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/llenergymeasure/llem/internal/dataset"
)

// PromptsOptions say which prompts of a file are sent.
type PromptsOptions struct {
	File         dataset.Options
	Files        *dataset.Cache // where several points read one file; nil: it is read again
	N            int
	Rest         bool    // the others too, which follow the first N
	Seconds      float64 // workload.min_seconds, where it is why they are N; else 0
	OutputTokens int
	Shuffle      bool
	Seed         int64
}

// ReadPrompts makes requests of a file's prompts. Text of unknown token length is sent
// whole.
func ReadPrompts(o PromptsOptions) (reqs []Request, file dataset.File, err error) {
	if o.Files == nil {
		o.Files = &dataset.Cache{}
	}
	texts, file, err := o.Files.Read(o.File)
	if err != nil {
		return nil, file, err
	}
	if err := o.enough(len(texts), file.LeftOut); err != nil {
		return nil, file, fmt.Errorf("workload.source: %w", err)
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

// enough refuses a file of fewer prompts than are sent.
func (o PromptsOptions) enough(n int, left map[string]int) error {
	name, beside := cmp.Or(o.File.Name, o.File.Path), ""
	if words := dataset.LeftOut(left); words != "" {
		beside = " beside " + words + ", which are left out"
	}
	switch {
	case n == 0:
		return fmt.Errorf("%s holds no prompt%s", name, beside)
	case n < o.N && o.Seconds > 0:
		return fmt.Errorf("%s holds %d prompts%s, and %d requests are due within workload.min_seconds %g: lower it (prompts are never repeated, a prefix cache would answer them)", name, n, beside, o.N, o.Seconds)
	case n < o.N:
		return fmt.Errorf("%s holds %d prompts%s, workload.prompts asks for %d: set workload.prompts: %d (prompts are never repeated, a prefix cache would answer them)", name, n, beside, o.N, n)
	}
	return nil
}
