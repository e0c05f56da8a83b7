package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// inferencePerf is that of Kubernetes' working group on serving.
type inferencePerf struct{ bin string }

func (inferencePerf) name() string         { return "inference-perf" }
func (inferencePerf) command() string      { return "inference-perf" }
func (inferencePerf) at(bin string) client { return inferencePerf{bin} }

// version asks the package: the command does not tell.
func (c inferencePerf) version() []string {
	return []string{filepath.Join(filepath.Dir(c.bin), "python"), "-c", "from importlib.metadata import version; print(version('inference-perf'))"}
}

func (c inferencePerf) args(j job) ([]string, error) {
	if err := j.conversations(filepath.Join(j.dir, "prompts.json")); err != nil {
		return nil, err
	}
	load := object{"type": "concurrent", "stages": []any{object{"num_requests": j.n, "concurrency_level": j.concurrency}}}
	if j.rate > 0 {
		load = object{"type": "constant", "stages": []any{object{"rate": j.rate, "duration": int(float64(j.n) / j.rate)}}}
	}
	load["interval"] = 0 // seconds after a stage, of which there is one
	file, err := j.write("config.yml", object{
		"api":       object{"type": "completion", "streaming": true},
		"server":    object{"type": "vllm", "model_name": "standin", "base_url": j.url, "ignore_eos": true},
		"tokenizer": object{"pretrained_model_name_or_path": j.tokenizer},
		"data":      object{"type": "shareGPT", "path": filepath.Join(j.dir, "prompts.json")},
		"load":      load,
		"storage":   object{"local_storage": object{"path": filepath.Join(j.dir, "reports")}},
	})
	return []string{c.bin, "--config_file", file}, err
}

// conversations writes the prompts as its only source of files that are not made
// up reads them: an answer's length is the longest that is asked for. The mark
// that begins a text counts there. Its first is thrown away.
func (j job) conversations(file string) error {
	answer := strings.Repeat(" baba", j.output-1)
	var all []any
	for _, p := range append([]string{j.prompts[0]}, j.prompts[:j.n]...) {
		all = append(all, object{"conversations": []any{
			object{"from": "human", "value": p}, object{"from": "gpt", "value": answer},
		}})
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func (inferencePerf) read(j job) (figures, error) {
	type summary struct{ Mean, P99 float64 } // seconds
	var r struct {
		Successes struct {
			Count   int
			Latency struct {
				TTFT summary `json:"time_to_first_token"`
				TPOT summary `json:"time_per_output_token"`
			}
			Throughput struct {
				Requests float64 `json:"requests_per_sec"`
				Tokens   float64 `json:"output_tokens_per_sec"`
			}
			Output summary `json:"output_len"`
		}
	}
	if err := decode(j, "reports/summary_lifecycle_metrics.json", &r); err != nil {
		return figures{}, err
	}
	s := r.Successes
	return figures{
		Completed: s.Count, Output: s.Output.Mean * float64(s.Count),
		Requests: s.Throughput.Requests, Tokens: s.Throughput.Tokens,
		TTFT: 1e3 * s.Latency.TTFT.Mean, TTFT99: 1e3 * s.Latency.TTFT.P99, TPOT: 1e3 * s.Latency.TPOT.Mean,
	}, nil
}
