package engine

import "regexp"

// hints are what servers say before they end, and what to do about it.
var hints = []struct {
	says *regexp.Regexp
	do   string
}{
	{regexp.MustCompile(`(?i)cuda out of memory|OutOfMemoryError|cudaMalloc failed|CUDA_ERROR_OUT_OF_MEMORY|failed to allocate .*(CUDA|buffer)`),
		"the GPU's memory does not hold it: use a smaller model, context (max-model-len, ctx-size) or share of the memory (gpu-memory-utilization), or more GPUs (parallel)"},
	{regexp.MustCompile(`(?i)no available memory for the cache blocks|KV cache .* (is )?(larger|needed)|max seq len .* is larger than the maximum number of tokens`),
		"no room is left for the KV cache: lower the context (engine.args: max-model-len) or raise the share of the GPU's memory (gpu-memory-utilization)"},
	{regexp.MustCompile(`(?i)unrecognized arguments?|unrecognised arguments?|unexpected argument|invalid argument: -|unknown argument|no such option|invalid choice`),
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

// Hint is what to do about the end of a log; empty: nothing is known.
func Hint(log string) string {
	for _, h := range hints {
		if h.says.MatchString(log) {
			return h.do
		}
	}
	return ""
}
