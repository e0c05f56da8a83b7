package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestLookupKnowsNamesAndTheirAliases(t *testing.T) {
	for name, want := range map[string]string{"vllm": "vllm", "vLLM": "vllm", "llama.cpp": "llamacpp", "reference": "reference", "hf": "transformers", "trt-llm": "tensorrt-llm"} {
		if e, err := Lookup(name); err != nil || e.Name() != want {
			t.Errorf("%s: %v, %v; want %s", name, e, err, want)
		}
	}
	if _, err := Lookup("vlmm"); !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), "reference") {
		t.Errorf("error %v, want one that lists the engines", err)
	}
}

func TestDetectTellsTheEngine(t *testing.T) {
	for want, images := range map[string][]launch.Image{
		"reference by label io.llem.engine": {{Labels: map[string]string{Label: "reference"}, Entrypoint: []string{"vllm", "serve"}}},
		"vllm by entrypoint and command": {
			{Entrypoint: []string{"vllm", "serve"}},
			{Entrypoint: []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}, Ref: "registry:5000/sglang"},
		},
		"vllm by environment": {{Env: []string{"PATH=/bin", "VLLM_USAGE_SOURCE=production-docker-image"}, Entrypoint: []string{"/bin/sh"}}},
		"vllm by name":        {{Ref: "mirror.example/vllm/vllm-openai:v0.27.1"}, {Ref: "vllm@sha256:0"}},
		"llamacpp by entrypoint and command": {
			{Entrypoint: []string{"/app/llama-server"}}, {Entrypoint: []string{"/app/tools.sh"}},
		},
		"llamacpp by environment": {{Env: []string{"LLAMA_ARG_HOST=0.0.0.0"}}},
		"llamacpp by name":        {{Ref: "ghcr.io/ggml-org/llama.cpp:server-cuda"}},
		"sglang by entrypoint and command": {
			{Cmd: []string{"python3", "-m", "sglang.launch_server", "--model-path", "m"}}, {Entrypoint: []string{"sglang", "serve"}},
		},
		"sglang by working directory": {
			{Ref: "mine", WorkingDir: "/sgl-workspace/sglang", Cmd: []string{"/bin/bash"}, Env: []string{"CUDA_HOME=/usr/local/cuda"}},
		},
		"sglang by name":                         {{Ref: "lmsysorg/sglang:v0.5.16-cu130"}},
		"tensorrt-llm by entrypoint and command": {{Entrypoint: []string{"/opt/nvidia/nvidia_entrypoint.sh"}, Cmd: []string{"trtllm-serve", "m"}}},
		"tensorrt-llm by environment": {
			{Entrypoint: []string{"/opt/nvidia/nvidia_entrypoint.sh"}, Env: []string{"TRT_LLM_GIT_COMMIT=0", "TRT_LLM_VERSION=1.2.1"}, WorkingDir: "/app/tensorrt_llm"},
		},
		"tensorrt-llm by working directory": {{WorkingDir: "/app/tensorrt_llm"}},
		"tensorrt-llm by name":              {{Ref: "nvcr.io/nvidia/tensorrt-llm/release:1.2.1"}},
		"tgi by entrypoint and command":     {{Entrypoint: []string{"/tgi-entrypoint.sh"}}, {Entrypoint: []string{"text-generation-launcher"}, Cmd: []string{"--json-output"}}},
		"tgi by environment":                {{Env: []string{"HF_HOME=/data", "HF_HUB_ENABLE_HF_TRANSFER=1", "PORT=80"}, Entrypoint: []string{"./mine.sh"}}},
		"tgi by name":                       {{Ref: "ghcr.io/huggingface/text-generation-inference:3.3.7"}},
		"ollama by entrypoint and command":  {{Entrypoint: []string{"/bin/ollama"}, Cmd: []string{"serve"}, Env: []string{"OLLAMA_HOST=0.0.0.0:11434"}}},
		"ollama by environment":             {{Entrypoint: []string{"/start.sh"}, Env: []string{"OLLAMA_HOST=0.0.0.0"}}},
		"ollama by name":                    {{Ref: "mirror:5000/ollama/ollama:0.33.0"}},
		"lmdeploy by environment": {
			{Env: []string{"PATH=/opt/py3/bin:/usr/local/nvidia/bin:/usr/bin", "TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas"}},
		},
		"lmdeploy by name":                     {{Ref: "openmmlab/lmdeploy:latest-cu12"}},
		"transformers by label io.llem.engine": {{Labels: map[string]string{Label: "transformers"}, Entrypoint: []string{"python3", "/app/server.py"}}},
	} {
		for _, img := range images {
			name, how, err := Detect(img)
			if got := name + " by " + how; err != nil || got != want {
				t.Errorf("%+v: %s (%v), want %s", img, got, err, want)
			}
		}
	}
}

func TestDetectRefusesToGuess(t *testing.T) {
	for _, img := range []launch.Image{
		{Ref: "busybox", Cmd: []string{"sh"}},
		{Ref: "busybox:vllm", Cmd: []string{"sh"}}, // a tag is no name
		{Ref: "busybox", Labels: map[string]string{Label: "vlmm"}},
		{Ref: "busybox", Cmd: []string{"sh", "-c", "vllm serve; llama-server"}},
		{Ref: "busybox", Env: []string{"HF_HOME=/data", "PORT=8080"}}, // half of TGI's
		{Ref: "busybox", Env: []string{"TRITON_PTXAS_PATH=/ptxas", "PATH=/usr/bin:/opt/py3/bin"}},
		{Ref: "busybox/ollama-tools"}, {Ref: "busybox/sglang-router:1"},
	} {
		if _, _, err := Detect(img); !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), "busybox") || !strings.Contains(err.Error(), "--engine") {
			t.Errorf("%+v: error %v, want one that says what to do", img, err)
		}
	}
}

func TestTheServersWordCounts(t *testing.T) {
	if err := Confirm("vllm", "name", Info{Engine: "vllm"}); err != nil {
		t.Error(err)
	}
	if err := Confirm("vllm", "name", Info{}); err != nil {
		t.Errorf("%v, of a server that says nothing", err)
	}
	err := Confirm("sglang", "name", Info{Engine: "vllm"})
	if err == nil || !strings.Contains(err.Error(), "sglang by its name") || !strings.Contains(err.Error(), "vllm by its server") {
		t.Errorf("error %v, want one that names both", err)
	}
}

func TestABareEngineNameIsItsUpstream(t *testing.T) {
	for ref, want := range map[string]string{
		"vllm": "vllm/vllm-openai:latest", "vllm:v0.27.1": "vllm/vllm-openai:v0.27.1",
		"llama.cpp": "ghcr.io/ggml-org/llama.cpp:server-cuda", "llamacpp:server": "ghcr.io/ggml-org/llama.cpp:server",
		"sglang": "lmsysorg/sglang:latest", "trtllm": "nvcr.io/nvidia/tensorrt-llm/release:1.2.1", "tensorrt-llm:1.3.0rc14": "nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc14",
		"tgi:3.3.7": "ghcr.io/huggingface/text-generation-inference:3.3.7", "ollama": "ollama/ollama:latest", "lmdeploy": "openmmlab/lmdeploy:latest", "transformers": "",
		"mine/vllm": "", "reference": "", "busybox": "", "vllm@sha256:1": "",
	} {
		if got, ok := Upstream(ref, true); got != want || ok != (want != "") {
			t.Errorf("%s: %s, %v; want %s", ref, got, ok, want)
		}
	}
}

// An image for CUDA is some 20 GB that would not start there.
func TestABareEngineNameOnAHostWithoutAGPU(t *testing.T) {
	for ref, want := range map[string]string{
		"llamacpp": "ghcr.io/ggml-org/llama.cpp:server", "vllm": "vllm/vllm-openai-cpu:latest", "vllm:v0.27.1": "vllm/vllm-openai-cpu:v0.27.1",
		"ollama": "ollama/ollama:latest",
	} {
		if got, _ := Upstream(ref, false); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
	if name, how, err := Detect(launch.Image{Ref: "vllm/vllm-openai-cpu:latest"}); name != "vllm" || err != nil {
		t.Errorf("%s by %s, %v", name, how, err)
	}
}
