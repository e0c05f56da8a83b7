package main

import (
	"fmt"
	"path/filepath"
)

// guidellm is vLLM's and Red Hat's.
type guidellm struct{ bin string }

func (guidellm) name() string         { return "guidellm" }
func (guidellm) command() string      { return "guidellm" }
func (guidellm) at(bin string) client { return guidellm{bin} }
func (c guidellm) version() []string  { return []string{c.bin, "--version"} }

func (c guidellm) args(j job) ([]string, error) {
	data := filepath.Join(j.dir, "prompts.jsonl")
	err := j.lines(data, func(p string) any {
		return object{"prompt": p, "prompt_tokens_count": input, "output_tokens_count": j.output}
	})
	if err != nil {
		return nil, err
	}
	profile := object{"kind": "concurrent", "streams": []int{j.concurrency}}
	if j.rate > 0 {
		profile = object{"kind": "constant", "rate": []float64{j.rate}}
	}
	file, err := j.write("scenario.json", object{"spec": object{
		"backend":     object{"kind": "openai_http", "target": j.url, "model": "standin", "request_format": "/v1/completions"},
		"profile":     profile,
		"constraints": []any{object{"kind": "max_requests", "count": j.n}},
		"tokenizer":   object{"kind": "huggingface_auto", "model": j.tokenizer},
		"data":        []any{object{"kind": "json_file", "path": data}},
		"outputs":     []any{object{"kind": "json", "path": filepath.Join(j.dir, "benchmarks.json")}},
	}})
	return []string{c.bin, "run", "--config", file, "--disable-console-interactive"}, err
}

func (guidellm) read(j job) (figures, error) {
	type summary struct {
		Successful struct {
			Mean        float64
			Sum         float64 `json:"total_sum"`
			Percentiles struct{ P99 float64 }
		}
	}
	var r struct {
		Benchmarks []struct {
			Metrics struct {
				Totals   struct{ Successful int } `json:"request_totals"`
				Requests summary                  `json:"requests_per_second"`
				Tokens   summary                  `json:"output_tokens_per_second"`
				Output   summary                  `json:"output_token_count"`
				TTFT     summary                  `json:"time_to_first_token_ms"`
				ITL      summary                  `json:"inter_token_latency_ms"`
			}
		}
	}
	if err := decode(j, "benchmarks.json", &r); err != nil {
		return figures{}, err
	}
	if len(r.Benchmarks) != 1 {
		return figures{}, fmt.Errorf("%d benchmarks, and one is read", len(r.Benchmarks))
	}
	m := r.Benchmarks[0].Metrics
	return figures{
		Completed: m.Totals.Successful, Output: m.Output.Successful.Sum,
		Requests: m.Requests.Successful.Mean, Tokens: m.Tokens.Successful.Mean,
		TTFT: m.TTFT.Successful.Mean, TTFT99: m.TTFT.Successful.Percentiles.P99, TPOT: m.ITL.Successful.Mean,
	}, nil
}
