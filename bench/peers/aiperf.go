package main

import (
	"path/filepath"
	"strconv"
)

// aiperf is NVIDIA's.
type aiperf struct{ bin string }

func (aiperf) name() string         { return "aiperf" }
func (aiperf) command() string      { return "aiperf" }
func (aiperf) at(bin string) client { return aiperf{bin} }
func (c aiperf) version() []string  { return []string{c.bin, "--version"} }

func (c aiperf) args(j job) ([]string, error) {
	data := filepath.Join(j.dir, "prompts.jsonl")
	if err := j.lines(data, func(p string) any { return object{"text": p, "output_length": j.output} }); err != nil {
		return nil, err
	}
	n := strconv.Itoa
	args := []string{
		"env", "-u", "HF_HUB_OFFLINE", "-u", "TRANSFORMERS_OFFLINE", // with them it takes no folder for a tokenizer
		c.bin, "profile", "--model", "standin", "--url", j.url, "--endpoint-type", "completions", "--streaming",
		"--tokenizer", j.tokenizer, "--input-file", data, "--custom-dataset-type", "single_turn",
		"--extra-inputs", "ignore_eos:true", "--request-count", n(j.n),
		"--output-artifact-dir", filepath.Join(j.dir, "artifacts"), "--ui", "none", "--no-gpu-telemetry", "--no-server-metrics",
	}
	if j.rate > 0 {
		return append(args, "--request-rate", text(j.rate), "--arrival-pattern", "constant"), nil
	}
	return append(args, "--concurrency", n(j.concurrency)), nil
}

func (aiperf) read(j job) (figures, error) {
	type metric struct{ Avg, P99 float64 }
	var r struct {
		Count    metric `json:"request_count"`
		Output   metric `json:"total_osl"`
		Requests metric `json:"request_throughput"`
		Tokens   metric `json:"output_token_throughput"`
		TTFT     metric `json:"time_to_first_token"`
		ITL      metric `json:"inter_token_latency"`
	}
	if err := decode(j, "artifacts/profile_export_aiperf.json", &r); err != nil {
		return figures{}, err
	}
	return figures{
		Completed: int(r.Count.Avg), Output: r.Output.Avg, Requests: r.Requests.Avg, Tokens: r.Tokens.Avg,
		TTFT: r.TTFT.Avg, TTFT99: r.TTFT.P99, TPOT: r.ITL.Avg,
	}, nil
}
