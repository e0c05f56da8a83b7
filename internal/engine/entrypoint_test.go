package engine

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
)

// What is passed before the flags follows from how the image starts things, and not
// from the engine's name in it.
func TestCommandsFitTheImagesEntrypoint(t *testing.T) {
	const module = "python3 -m vllm.entrypoints.openai.api_server"
	for _, c := range []struct {
		name       string
		engine     string
		entrypoint string // words
		labelled   bool
		own        string // engine.container.entrypoint
		want       string // what is passed before the flags
	}{
		{"upstream's", "vllm", "vllm serve", false, "", ""},
		{"upstream's module", "vllm", module, false, "", ""},
		{"labelled, as upstream", "vllm", "vllm serve", true, "", ""},
		{"labelled, a script", "vllm", "/start.sh", true, "", ""},
		{"labelled, a script of a shell", "vllm", "/bin/bash /opt/run.sh", true, "", ""},
		{"labelled, a server of Python", "vllm", "python3 /app/server.py", true, "", ""},
		{"labelled, behind tini", "vllm", "/usr/bin/tini -g -- /serve", true, "", ""},
		{"labelled, none", "vllm", "", true, "", module},
		{"labelled, tini alone", "vllm", "tini --", true, "", module},
		{"labelled, a shell", "vllm", "/bin/bash", true, "", "-c exec"},
		{"labelled, a shell's -c", "vllm", "/bin/sh -lc", true, "", "exec"},
		{"labelled, Python", "vllm", "/usr/bin/python3.12", true, "", "-m vllm.entrypoints.openai.api_server"},
		{"none", "vllm", "", false, "", module},
		{"a wrapper", "vllm", "/opt/nvidia/nvidia_entrypoint.sh", false, "", module},
		{"wrappers", "vllm", "/usr/bin/env A=b dumb-init -- vllm serve", false, "", ""},
		{"only a folder has the name", "vllm", "/opt/vllm/docker-entrypoint.sh", false, "", module},
		{"the program alone", "vllm", "/usr/local/bin/vllm", false, "", "serve"},
		{"a shell that passes on", "vllm", `sh -c exec_"$@" --`, false, "", module},
		{"a shell that starts it", "vllm", `sh -c exec_vllm_serve_"$@" --`, false, "", ""},
		{"one of the user's", "vllm", "vllm serve", false, "/bin/bash -c", "exec"},
		{"the user's program", "vllm", "/start.sh", true, "vllm serve", ""},
		{"the user's script is not the label's", "vllm", "/start.sh", true, "/mine.sh", module},
		{"sglang, none", "sglang", "", false, "", "python3 -m sglang.launch_server"},
		{"sglang, the program alone", "sglang", "sglang", false, "", "serve"},
		{"sglang, labelled", "sglang", "/start.sh", true, "", ""},
		{"lmdeploy, two words of three", "lmdeploy", "lmdeploy serve", false, "", "api_server /m"},
		{"lmdeploy, labelled", "lmdeploy", "/start.sh", true, "", "/m"},
		{"tensorrt, a wrapper", "tensorrt-llm", "/opt/nvidia/nvidia_entrypoint.sh", false, "", "trtllm-serve /m"},
		{"tensorrt, labelled", "tensorrt-llm", "/start.sh", true, "", "/m"},
		{"tgi, its script", "tgi", "/tgi-entrypoint.sh", false, "", ""},
		{"tgi, another's script", "tgi", "docker-entrypoint.sh", false, "", "text-generation-launcher"},
		{"tgi, labelled", "tgi", "/start", true, "", ""},
		{"llamacpp, none", "llamacpp", "", true, "", "/app/llama-server"},
		{"llamacpp, tini", "llamacpp", "tini --", false, "", "/app/llama-server"},
		{"llamacpp, labelled", "llamacpp", "/start.sh", true, "", ""},
		{"ollama, the server", "ollama", "ollama serve", false, "", ""},
		{"ollama, the program", "ollama", "/bin/ollama", false, "", "serve"},
		{"ollama, none", "ollama", "", false, "", "ollama serve"},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := func(text string) []string {
				out := strings.Fields(text)
				for i := range out {
					out[i] = strings.ReplaceAll(out[i], "_", map[bool]string{true: " ", false: "_"}[strings.HasPrefix(out[i], "exec_")])
				}
				return out
			}
			h := Host{Image: launch.Image{ID: "sha256:1", Entrypoint: words(c.entrypoint)}, Model: Model{Path: "/m", GGUF: c.engine == "llamacpp" || c.engine == "ollama"}}
			if c.labelled {
				h.Image.Labels = map[string]string{Label: c.engine}
			}
			x := decoded(t, "model: org/m\nengine: {image: i}\n")
			x.Engine.Container.Entrypoint = words(c.own)
			e, err := Lookup(c.engine)
			if err != nil {
				t.Fatal(err)
			}
			s, err := e.Spec(x, h)
			if err != nil {
				t.Fatal(err)
			}
			var before []string
			for _, w := range s.Cmd {
				if strings.HasPrefix(w, "--") && w != "--" {
					break
				}
				before = append(before, w)
			}
			got := strings.Join(before, " ")
			if shell, _, ok := strings.Cut(got, "exec "); ok { // the rest is one word of a shell
				got = shell + "exec"
			}
			if got != c.want {
				t.Errorf("%q is given %q, want %q before the flags", c.entrypoint, s.Cmd, c.want)
			}
		})
	}
}

// A shell is given the command as one word, which it reads as it was.
func TestAShellReadsTheCommandAsItWas(t *testing.T) {
	want := []string{"printf", "%s\n", "a b", "it's", `"$HOME"`, "*", ""}
	for _, entrypoint := range [][]string{{"sh"}, {"sh", "-c"}, {"/bin/sh", "-ec"}} {
		h := Host{Image: launch.Image{Entrypoint: entrypoint}}
		args, err := arguments(decoded(t, "model: org/m\nengine: {image: i}\n"), h, want)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(entrypoint[0], append(entrypoint[1:], args...)...).Output()
		if diff := cmp.Diff(strings.Join(want[2:], "\n")+"\n", string(out)); diff != "" || err != nil {
			t.Errorf("%v: %v\n%s", entrypoint, err, diff)
		}
	}
}

// An entrypoint that ignores what follows it would start the engine without llem's
// flags.
func TestEntrypointsThatTakeNoArgumentsAreRefused(t *testing.T) {
	for _, script := range []string{"vllm serve org/m", "exec /start.sh", "python3 -m vllm.entrypoints.openai.api_server --port 8000"} {
		h := Host{Image: launch.Image{Entrypoint: []string{"/bin/sh", "-c", script}}, Model: hf}
		_, err := vllm.Spec(decoded(t, "model: org/m\nengine: {image: i}\n"), h)
		if err == nil || !strings.Contains(err.Error(), "takes no arguments") || !strings.Contains(err.Error(), "engine.container.entrypoint") {
			t.Errorf("%q: %v", script, err)
		}
		if _, err := vllm.Spec(decoded(t, "model: org/m\nengine: {image: i, container: {entrypoint: [vllm, serve]}}\n"), h); err != nil {
			t.Errorf("%q under one of the user's: %v", script, err)
		}
	}
}

// null takes a flag out, whoever sets it and whatever it is called.
func TestNullTakesAFlagOut(t *testing.T) {
	for _, c := range []struct{ engine, args, gone, leftOut string }{
		{"vllm", "seed: null", "--seed", "seed"},
		{"vllm", "--seed: null", "--seed", "seed"},
		{"vllm", "served_model_name: ~", "--served-model-name", "served-model-name"},
		{"sglang", "enable-metrics: null, enable_cache_report: null", "--enable-metrics", "enable-metrics enable-cache-report"},
		{"llamacpp", "np: null, metrics: null", "--parallel", "parallel metrics"},
		{"lmdeploy", "server-name: null", "--server-name", "server-name"},
		{"tgi", "num-shard: null", "--num-shard", "num-shard"},
		{"tensorrt-llm", "host: null", "--host", "host"},
		{"transformers", "device: null", "--device", "device"},
		{"reference", "seed: null", "--seed", "seed"},
		{"ollama", "num_ctx: null", "num_ctx", "num_ctx"},
		{"vllm", "no-such-flag: null", "--no-such-flag", ""},
	} {
		e, err := Lookup(c.engine)
		if err != nil {
			t.Fatal(err)
		}
		h := Host{Model: hf}
		if c.engine == "llamacpp" || c.engine == "ollama" {
			h.Model = gguf
		}
		if c.engine == "reference" {
			h.Model = Model{}
		}
		x := decoded(t, "model: org/m\nengine: {image: i, args: {"+c.args+"}}\n")
		if c.engine == "reference" {
			x.Model = "reference/tiny"
		}
		s, err := e.Spec(x, h)
		if err != nil {
			t.Errorf("%s: %v", c.engine, err)
			continue
		}
		line := " " + strings.Join(s.Cmd, " ") + " "
		if strings.Contains(line, " "+c.gone+" ") || strings.Contains(line, "nil") || strings.Contains(line, "null") || strings.Join(s.LeftOut, " ") != c.leftOut || len(s.Overridden) > 0 {
			t.Errorf("%s with %s is given %s and says %v, %v", c.engine, c.args, line, s.LeftOut, s.Overridden)
		}
		if _, there := ollamaParameters(x, h)["num_ctx"]; c.engine == "ollama" && there {
			t.Error("Ollama's model keeps the parameter")
		}
	}
}
