package main

import (
	"path/filepath"
	"strconv"
)

// llem is measured as users run it: the whole of llem run on a server that
// already runs, with its warmup, telemetry and record.
type llem struct{ bin string }

func (llem) name() string         { return "llem" }
func (llem) command() string      { return "llem" }
func (llem) at(bin string) client { return llem{bin} }
func (c llem) version() []string  { return []string{c.bin, "version"} }

func (c llem) args(j job) ([]string, error) {
	if err := j.lines(filepath.Join(j.dir, "prompts.jsonl"), func(p string) any { return object{"prompt": p} }); err != nil {
		return nil, err
	}
	pattern := object{"pattern": "closed", "concurrency": j.concurrency}
	if j.rate > 0 {
		pattern = object{"pattern": "constant", "rate_per_second": j.rate}
	}
	file, err := j.write("experiment.yaml", object{
		"model": j.tokenizer,
		"gpus":  "none",
		"workload": object{
			"source": "prompts.jsonl", "prompts": j.n, "max_input_tokens": input, "max_output_tokens": j.output, "load": pattern,
			"sampling": object{"ignore_eos": true},
		},
		"warmup": object{"n_warmup": 1},
	})
	return []string{c.bin, "run", "--quick", "--json", "--energy-backend", "none", "--base-url", j.url, "-o", filepath.Join(j.dir, "results"), file}, err
}

func (llem) read(j job) (figures, error) {
	var r struct {
		Window   float64 `json:"window_seconds"`
		Tokens   struct{ Output float64 }
		Requests struct{ Completed int }
		Rate     float64 `json:"tokens_per_second"`
		Latency  struct {
			TTFT struct{ Mean, P99 float64 } `json:"ttft_ms"`
			TPOT struct{ Mean float64 }      `json:"tpot_ms"`
		}
	}
	if err := decode(j, "results/*/result.json", &r); err != nil {
		return figures{}, err
	}
	return figures{
		Completed: r.Requests.Completed, Output: r.Tokens.Output,
		Requests: float64(r.Requests.Completed) / r.Window, Tokens: r.Rate,
		TTFT: r.Latency.TTFT.Mean, TTFT99: r.Latency.TTFT.P99, TPOT: r.Latency.TPOT.Mean,
	}, nil
}

func text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
