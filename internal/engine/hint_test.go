package engine

import (
	"strings"
	"testing"
)

func TestTheEndOfALogSaysWhatToDo(t *testing.T) {
	for log, want := range map[string]string{
		"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB":                                                      "GPU's memory",
		"ggml_backend_cuda_buffer_type_alloc_buffer: allocating 4096 MiB on device 0: cudaMalloc failed: out of memory":               "GPU's memory",
		"ValueError: No available memory for the cache blocks.":                                                                       "KV cache",
		"api_server.py: error: unrecognized arguments: --bogus":                                                                       "engine.args",
		"error: invalid argument: --bogus":                                                                                            "engine.args",
		"error: unexpected argument '--bogus' found":                                                                                  "engine.args",
		"OSError: You are trying to access a gated repo.":                                                                             "HF_TOKEN",
		"RuntimeError: Found no NVIDIA driver on your system.":                                                                        "llem doctor",
		"ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).":                "shm_size",
		"PermissionError: [Errno 13] Permission denied: '/models/x'":                                                                  "engine.container.user",
		"ValueError: Available memory on node 0 (5.1/7.6 GiB) on startup is less than desired CPU memory utilization (0.9, 6.8 GiB).": "VLLM_CPU_KVCACHE_SPACE",
		"ValueError: Free memory on device cuda:0 (3.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.92, 72.8)": "gpu-memory-utilization",
		"flag provided but not defined: -bogus":                                                                                       "engine.args",
		"INFO: all is well":                                                                                                           "",
		"INFO 11-25 10:00:00 [utils.py:233] non-default args: {'download_dir': '/dev/shm'}\nRuntimeError: it failed":                  "",
	} {
		if got := Hint(log); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}

// What later lines say follows from it.
func TestTheCauseIsTheFirstFailureOfALog(t *testing.T) {
	for log, want := range map[string]string{
		"INFO start\n(EngineCore pid=7) ERROR 11-25 [core.py:9] EngineCore failed to start.\n(EngineCore pid=7) ERROR 11-25 [core.py:9] ValueError: no room\nRuntimeError: see above": "(EngineCore pid=7) ERROR 11-25 [core.py:9] ValueError: no room",
		"WARNING import failed: ImportError: no module\n  error: invalid argument: -x\n":                                                                                              "error: invalid argument: -x",
		"panic: index out of range\ngoroutine 1": "panic: index out of range",
		"INFO all is well\nerrors: \n0 errors":   "",
		"":                                       "",
	} {
		if got := Cause(log); got != want {
			t.Errorf("%q: cause %q, want %q", log, got, want)
		}
	}
}
