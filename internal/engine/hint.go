package engine

import (
	"regexp"
	"slices"
	"strings"
)

// hints are what servers say before they end, and what to do about it.
var hints = []struct {
	says *regexp.Regexp
	do   string
}{
	{regexp.MustCompile(`(?i)cuda out of memory|OutOfMemoryError|cudaMalloc failed|CUDA_ERROR_OUT_OF_MEMORY|failed to allocate .*(CUDA|buffer)`),
		"the GPU's memory does not hold it: use a smaller model, context (max-model-len, ctx-size) or share of the memory (gpu-memory-utilization), or more GPUs (parallel)"},
	{regexp.MustCompile(`(?i)no available memory for the cache blocks|KV cache .* (is )?(larger|needed)|max seq len .* is larger than the maximum number of tokens`),
		"no room is left for the KV cache: lower the context (engine.args: max-model-len) or raise the share of the GPU's memory (gpu-memory-utilization)"},
	{regexp.MustCompile(`(?i)(available|free) memory .*less than desired`),
		"vLLM would take a larger share of the memory than is free: lower it (engine.args: gpu-memory-utilization, also on a CPU, where VLLM_CPU_KVCACHE_SPACE in engine.env says it in GiB), or end what else uses the memory"},
	{regexp.MustCompile(`(?i)unrecognized arguments?|unrecognised arguments?|unexpected argument|invalid argument: -|unknown argument|no such option|invalid choice|flag provided but not defined`),
		"the engine refuses one of its arguments: see engine.args against the help of this version of the engine; `llem run --dry-run` shows the whole command"},
	{regexp.MustCompile(`(?i)gated repo|401 Client Error|403 Client Error|Access to model .* is restricted`),
		"the hub refuses the model: accept its licence on its page, set HF_TOKEN, and run `llem pull` first"},
	{regexp.MustCompile(`(?i)bus error|out of shared memory|/dev/shm|unable to open shared memory`),
		"shared memory is too small: raise engine.container.shm_size"},
	{regexp.MustCompile(`(?i)no space left on device`),
		"a disk is full: make room where Docker keeps its data, or in engine.container.shm_size"},
	{regexp.MustCompile(`(?i)no nvidia driver|no CUDA-capable device|CUDA driver version is insufficient|forward compatibility was attempted`),
		"the container finds no GPU that it can use: see `llem doctor`, and whether the image's CUDA is newer than the host's driver"},
	{regexp.MustCompile(`(?i)permission denied`),
		"a file may not be read or written by the container's user, who has no capabilities, root or not: `chmod -R a+rX` what is mounted, or name its owner in engine.container.user"},
}

// looksLikeCause is how Python, Go, Rust and C++ programs say what ended them.
var looksLikeCause = regexp.MustCompile(`(?i)(error|exception|panic|fatal): \S`)

// harmless is how loggers mark a line that is no failure: servers warn of what
// they do without, and print their configuration.
var harmless = regexp.MustCompile(`\b(DEBUG|INFO|WARN|WARNING)\b`)

// Hint is what to do about the end of a log; empty: nothing is known.
func Hint(log string) string {
	log = strings.Join(serious(log), "\n")
	for _, h := range hints {
		if h.says.MatchString(log) {
			return h.do
		}
	}
	return ""
}

// Cause is the first line of a log that looks like the cause of its server's end;
// empty: none does.
func Cause(log string) string {
	for _, line := range serious(log) {
		if looksLikeCause.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// serious are the lines of a log that are not marked as harmless.
func serious(log string) []string {
	return slices.DeleteFunc(strings.Split(log, "\n"), harmless.MatchString)
}
