package engine

import (
	"strings"
	"testing"
)

func TestTheEndOfALogSaysWhatToDo(t *testing.T) {
	for log, want := range map[string]string{
		"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB":                                        "GPU's memory",
		"ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096 MiB on device 0: cudaMalloc failed: out of memory": "GPU's memory",
		"ValueError: No available memory for the cache blocks.":                                                         "KV cache",
		"api_server.py: error: unrecognized arguments: --bogus":                                                         "engine.args",
		"error: invalid argument: --bogus":                                                                              "engine.args",
		"error: unexpected argument '--bogus' found":                                                                    "engine.args",
		"OSError: You are trying to access a gated repo.":                                                               "HF_TOKEN",
		"RuntimeError: Found no NVIDIA driver on your system.":                                                          "llem doctor",
		"ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).":  "shm_size",
		"PermissionError: [Errno 13] Permission denied: '/models/x'":                                                    "engine.container.user",
		"INFO: all is well": "",
	} {
		if got := Hint(log); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
