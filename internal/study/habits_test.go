package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const minimal = "model: a/b\nengine: {image: c}\n"

// What users of other tools write by habit is an error that says what to write, one
// for each mistake.
func TestHabitsOfOtherToolsAreToldWhatToWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// keys
		minimal + "tensor_parallel_size: 2\n":         "did you mean parallel.tensor?",
		minimal + "tensor-parallel-size: 2\n":         "did you mean parallel.tensor?",
		minimal + "parallel: {tp_size: 2}\n":          "did you mean parallel.tensor?",
		minimal + "batch_size: 8\n":                   "did you mean workload.load.concurrency?",
		minimal + "max_concurrency: 8\n":              "did you mean workload.load.concurrency?",
		minimal + "num_prompts: 8\n":                  "did you mean workload.prompts?",
		minimal + "max_tokens: 8\n":                   "did you mean workload.max_output_tokens?",
		minimal + "workload: {duration: 60s}\n":       "did you mean workload.min_seconds and max_seconds?",
		minimal + "request_rate: 4\n":                 "did you mean workload.load.rate_per_second?",
		minimal + "rate: inf\n":                       "did you mean workload.load.rate_per_second?",
		minimal + "runs: 5\n":                         "llem run --repeat N",
		minimal + "gpu_memory_utilization: 0.9\n":     "engine.args: {gpu-memory-utilization: …}",
		minimal + "workload: {max_model_len: 4096}\n": "engine.args: {max-model-len: …}",
		minimal + "volumes: [a]\n":                    "did you mean engine.container.mounts?",
		minimal + "environment: {A: b}\n":             "did you mean engine.env?",
		minimal + "output_dir: r\n":                   "did you mean output.dir?",
		minimal + "dataset: sharegpt\n":               "did you mean workload.source?",
		"model_name: a/b\n":                           "did you mean model?",
		"Model: a/b\n":                                "did you mean \"model\"?",
		"model: a/b\nimage: c\n":                      "did you mean engine.image?",
		"model: a/b\n// no comment: 1\n":              "a comment begins with #",
		// groups
		"model: a/b\nengine: vllm\n":                "write engine: {name: vllm}",
		"model: a/b\nengine: vllm/vllm-openai:v1\n": "write engine: {image: vllm/vllm-openai:v1}",
		minimal + "baseline: false\n":               "write baseline: {enabled: false}",
		minimal + "warmup: 5\n":                     "write warmup: {n_warmup: 5}",
		minimal + "energy: false\n":                 "write energy: {backend: none}",
		minimal + "output: results\n":               "write output: {dir: results}",
		minimal + "workload: {load: 8}\n":           "write load: {concurrency: 8}",
		"model: a/b\nengine: !include e.yaml\n":     "the tag !include asks for something that llem does not do",
		"model: a/b\nengine: {args: [--a, 1]}\n":    "want a mapping, a flag's name without its dashes and its value",
		"model: a/b\nengine: {env: [A=b]}\n":        "want a mapping, a variable's name and its value",
		"model: {{ name }}\n":                       "is of a template that nothing fills in",
		// GPUs
		minimal + "gpus: all\n":              "leave it at auto",
		minimal + "gpus: device=0\n":         "write [0]",
		minimal + "gpus: '\"device=0,1\"'\n": "write [0, 1]",
		minimal + "gpus: cuda:1\n":           "write [1]",
		minimal + "gpus: 0-3\n":              "write [0, 1, 2, 3]",
		minimal + "gpus: false\n":            "write none for no GPU",
		minimal + "gpus: -1\n":               "write none for no GPU",
		minimal + "gpus:\n":                  "write none for no GPU",
		minimal + "gpus: {count: 1}\n":       "as many GPUs as parallel asks for",
		// numbers
		minimal + "workload: {prompts: \"8\"}\n":                                 "write it without quotes",
		minimal + "workload: {prompts: \"1,000\"}\n":                             "write 1000",
		minimal + "workload: {prompts: 0100}\n":                                  "begins with 0, which YAML reads as octal: write 100",
		minimal + "workload: {max_input_tokens: 4k}\n":                           "write 4000",
		minimal + "workload: {min_seconds: 1.5m}\n":                              "write 90, in seconds",
		minimal + "slo: {ttft_ms: 2s}\n":                                         "write 2000, in milliseconds",
		minimal + "workload: {load: {pattern: poisson, rate_per_second: inf}}\n": "use pattern: closed with a concurrency",
		minimal + "workload: {max_seconds: .inf}\n":                              "leave the key out for no limit",
		minimal + "workload: {load: {concurrency: [1, 2]}}\n":                    "write sweep: {workload.load.concurrency: […]}",
		minimal + "workload: {sampling: {ignore_eos: yes}}\n":                    "write true, without quotes",
		minimal + "baseline: {enabled: \"false\"}\n":                             "write false, without quotes",
		minimal + "energy: {backend: off}\n":                                     "write none",
		"model: a/b\nengine: {container: {memory: 16}}\n":                        "is 16 bytes: write its unit, such as 16GiB",
		"model: a/b\nengine: {container: {shm_size: '64'}}\n":                    "is 64 bytes: write its unit, such as 64GiB",
		"model: a/b\nengine: {args: {max-model-len: 0777}}\n":                    "reads as octal: write 777, or quote it",
	} {
		_, err := Decode("x.yaml", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || len(Problems(err)) != 1 {
			t.Errorf("%q: %v\nwant one problem, with %q", text, err, want)
		}
	}
}

// llem takes texts as they are written. One that its writer expects to be filled in
// or read otherwise is refused, wherever it stands.
func TestTextsThatAreNotMeantAsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"model: ${MODEL}\n":                                             `LLEM_MODEL="$MODEL" llem run`,
		"model: ${MODEL:-a/b}\n":                                        `LLEM_MODEL="$MODEL" llem run`,
		"model: $MODEL\n":                                               `LLEM_MODEL="$MODEL" llem run`,
		"model: $(cat name)\n":                                          "model: $(cat name) would be taken as it is written",
		"model: a/b\nengine: {image: '${oc.env:IMAGE}'}\n":              `LLEM_ENGINE_IMAGE="$IMAGE"`,
		"model: a/b\nengine: {image: 'vllm:${TAG}'}\n":                  `LLEM_ENGINE_IMAGE="$TAG"`,
		"model: a/b\nengine: {env: {A: '${B}'}}\n":                      `LLEM_ENGINE_ENV="{A: '$B'}"`,
		"model: a/b\nengine: {env: {HF_TOKEN: $HF_TOKEN}}\n":            "leave it out: llem hands its own Hugging Face token on",
		"model: a/b\nengine: {args: {api-key: '${KEY}'}}\n":             `LLEM_ENGINE_ARGS="{api-key: '$KEY'}"`,
		"model: a/b\nengine: {args: {x: [a, '${KEY}']}}\n":              "engine.args.x[1]: ${KEY} would be taken",
		"model: a/b\nworkload: {extra_body: {user: '${U}'}}\n":          `LLEM_WORKLOAD_EXTRA_BODY`,
		"model: a/b\nworkload: {extra_body: {a: {b: [{c: '${U}'}]}}}\n": "workload.extra_body.a.b[0].c: ${U} would be taken",
		"model: a/b\nengine: {container: {mounts: ['$HOME/a:/a']}}\n":   `LLEM_ENGINE_CONTAINER_MOUNTS="[…]"`,
		"model: a/b\noutput: {dir: '${PWD}/r'}\n":                       `LLEM_OUTPUT_DIR="$PWD"`,
		"model: '{{ .Values.model }}'\n":                                "is of a template that nothing fills in",
		"model: a/b\nengine: {image: '<% image %>'}\n":                  "is of a template that nothing fills in",
		"model: “a/b”\n":                                                "typographic quote",
		"model: a/b\nengine: {image: \u00a0vllm}\n":                     "typographic quote or space",
		"model: 'C:\\models'\n":                                         "is a path of Windows",
		"model: \"C:\\temp\"\n":                                         `control character '\t'; in double quotes \ begins an escape`,
		"model: a/b\nworkload: {source: \"d:\\new.jsonl\"}\n":           `control character '\n'`,
		"model: a/b\nengine: {container: {mounts: [\"C:\\bin:/x\"]}}\n": `control character '\b'`,
		"model: !ENV NAME\n":                                            "the tag !ENV asks for something",
		"model: !!python/name:os.system x\n":                            "asks for something that llem does not do",
	} {
		_, err := Decode("x.yaml", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || len(Problems(err)) != 1 {
			t.Errorf("%q: %v\nwant one problem, with %q", text, err, want)
		}
	}
	// The default of a variable may be a secret, and is not repeated in the message.
	_, err := Decode("x.yaml", []byte("model: a/b\nengine: {env: {DB_PASSWORD: '${P:-hunter22}'}}\n"), Options{})
	if err == nil || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("%v", err)
	}
	// A point of a study is held to the same.
	_, err = DecodeStudy("x.yaml", []byte("model: a/b\nsweep: {engine.args.x: ['${A}', b]}\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), "${A} would be taken as it is written") {
		t.Errorf("%v", err)
	}
}

func TestTextsThatAreMeantAsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"model: a/b\nengine: {container: {entrypoint: [sh, -c, 'exec vllm serve $MODEL ${ARGS}']}}\n",
		"model: a/b\nengine: {args: {chat-template: '{% for m in messages %}{{ m.content }}{% endfor %}'}}\n",
		"model: a/b\nengine: {args: {x: '{\"a\": 1}', price: $5}}\n",
		"model: a/b\nengine: {env: {PASSWORD: '$ecret', PS1: \"a\\nb\"}}\n",
		"model: a/b\nworkload: {extra_body: {stop: ['$', '${', 'cost: ${N}']}}\n",
		"model: ~/models/a\noutput: {dir: ~/results}\n",
		"model: a/b\nworkload: {prompts: 0x10}\n",
	} {
		if _, err := Decode("x.yaml", []byte(text), Options{}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	own := "model: a/b\nengine: {env: {A: '${B}'}}\n"
	if e, err := Decode("config.yaml", []byte(own), Options{Own: true}); err != nil || e.Engine.Env["A"] != "${B}" {
		t.Errorf("of a result: %v", err)
	}
	if _, err := DecodeStudy("study.yaml", []byte(own+"sweep: {engine.args.x: ['${A}', b], model: ['{{a}}', b]}\n"), Options{Own: true}); err != nil {
		t.Errorf("of a study's folder: %v", err)
	}
	// A shell has filled in what flags and the environment hold.
	set := Set{Path: "engine.env", Value: "{A: '${B}'}", Source: "LLEM_ENGINE_ENV"}
	if e, err := Decode("x.yaml", []byte(minimal), Options{Env: []Set{set}}); err != nil || e.Engine.Env["A"] != "${B}" {
		t.Errorf("%v, %v", e.Engine.Env, err)
	}
}

func TestHomeIsFollowedInEveryPath(t *testing.T) {
	t.Setenv("HOME", "/home/ann")
	e := decode(t, "model: ~/m\nengine: {container: {mounts: ['~/a:/a:ro']}}\nworkload: {source: ~/p.jsonl}\noutput: {dir: ~/r}\nenergy: {python: ~/v/bin/python}\n", Options{})
	got := []string{e.Model, e.Engine.Container.Mounts[0], e.Workload.Source, e.Output.Dir, e.Energy.Python}
	want := []string{"/home/ann/m", "/home/ann/a:/a:ro", "/home/ann/p.jsonl", "/home/ann/r", "/home/ann/v/bin/python"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMergesAreFollowedInEveryMapping(t *testing.T) {
	t.Parallel()
	want := decode(t, "model: a/b\nseed: 1\nengine: {image: c, env: {A: '1', B: '2'}}\nworkload: {prompts: 5, max_output_tokens: 4, load: {concurrency: 2}}\n", Options{})
	for _, text := range []string{
		"x-all: &all {seed: 1, engine: {image: c, env: {A: '1', B: '2'}}}\n<<: *all\nmodel: a/b\nworkload: {<<: {prompts: 5, max_output_tokens: 9}, max_output_tokens: 4, load: {concurrency: 2}}\n",
		"x-load: &l {concurrency: 2}\nx-env: &e {A: '1'}\nmodel: a/b\nseed: 1\nengine: {image: c, env: {<<: *e, B: '2'}}\nworkload: {prompts: 5, max_output_tokens: 4, load: {<<: *l}}\n",
		"x-one: &one {seed: 1}\nx-two: &two {seed: 2, model: a/b}\n<<: [*one, *two]\nengine: {image: c, env: {A: '1', B: '2'}}\nworkload: {prompts: 5, max_output_tokens: 4, load: {concurrency: 2}}\n",
	} {
		if diff := cmp.Diff(want, decode(t, text, Options{})); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
	if !IsStudy([]byte("x-s: &s {sweep: {seed: [1, 2]}}\n<<: *s\nmodel: a/b\n")) {
		t.Error("a sweep that is merged in makes no study")
	}
	for text, says := range map[string]string{
		"model: a/b\n<<: 5\n":                 "<< takes mappings",
		"model: a/b\n<<: [a]\n":               "<< takes mappings",
		"model: a/b\nworkload: &w {<<: *w}\n": "does an alias stand in itself?",
		"model: a/b\n<<: {sede: 1}\n":         "did you mean \"seed\"?",
		"model: a/b\nxengine: {}\n":           "did you mean \"engine\"?",
		"model: a/b\nworkload: {x-a: 1}\n":    "workload.x-a: unknown key",
	} {
		if got := said(t, text); !strings.Contains(got, says) {
			t.Errorf("%q: %s, want %q", text, got, says)
		}
	}
}

// A file that is no experiment is said to be what it is.
func TestForeignFilesAreNamed(t *testing.T) {
	t.Parallel()
	wide := func(big bool, mark bool) string {
		var out []byte
		text := minimal
		if mark {
			text = "\ufeff" + text
		}
		for _, u := range utf16.Encode([]rune(text)) {
			if big {
				out = append(out, byte(u>>8), byte(u))
			} else {
				out = append(out, byte(u), byte(u>>8))
			}
		}
		return string(out)
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"UTF-16":           {wide(false, true), "it is UTF-16; save it as UTF-8"},
		"UTF-16 big":       {wide(true, true), "it is UTF-16; save it as UTF-8"},
		"UTF-16 no mark":   {wide(false, false), "it is UTF-16; save it as UTF-8"},
		"Latin-1":          {"model: a/b\nname: caf\xe9\n", "line 2 has the byte 0xe9; save it as UTF-8"},
		"program":          {string(program[:8192]), "it is no text at all"},
		"gzip":             {"\x1f\x8b\x08\x00\x00", "it is no text at all"},
		"two documents":    {minimal + "---\n" + minimal, "more than one document (---)"},
		"TOML":             {"model = \"a/b\"\n[engine]\nimage = \"c\"\n", "lines of NAME = value"},
		"INI":              {"[engine]\nimage = c\n", "lines of NAME = value"},
		"shell variables":  {"export MODEL=a/b\nIMAGE=c\n", "lines of NAME = value"},
		"script":           {"#!/bin/bash\n#SBATCH --gpus=1\nllem run x.yaml\n", "but a script"},
		"list":             {"- model: a/b\n", "but a list; list several experiments under experiments:"},
		"compose":          {"services:\n  vllm: {image: vllm/vllm-openai}\n", "a Docker Compose file: write a service's image as engine.image"},
		"kubernetes":       {"apiVersion: v1\nkind: Pod\nspec: {}\n", "a Kubernetes manifest"},
		"hydra":            {"defaults: [a]\nhydra: {job: {}}\n", "a Hydra configuration"},
		"a tab":            {"model: a/b\nengine:\n\timage: c\n", "indented by a tab: write spaces"},
		"spaces and a tab": {"model: a/b\nengine:\n  image: c\n \t name: d\n", "indented by a tab: write spaces"},
		"an escape":        {"model: \"C:\\models\"\n", `in double quotes \ begins an escape: write the text in single quotes`},
		"another escape":   {"name: \"\\d+\"\n", `in double quotes \ begins an escape`},
		"at":               {"model: @a\n", "begins with @ is written in quotes"},
		"percent":          {"model: %a\n", "begins with % is written in quotes"},
		"star":             {"model: *a\n", "begins with * is written in quotes"},
		"no space":         {"model:a/b\nengine:\n  image: c\n", "a colon needs a space after it"},
		"one key no space": {"model:ab\n", "a colon needs a space after it"},
		"bare variable":    {"engine: {args: {key: ${KEY}}}\n", "llem fills in no variables"},
		"indent":           {"model: a/b\n engine:\n", "indented unlike"},
	} {
		_, err := Decode("x.yaml", []byte(c.text), Options{})
		if err == nil || !strings.Contains(err.Error(), c.says) || len(Problems(err)) != 1 {
			t.Errorf("%s: %v\nwant one problem, with %q", name, err, c.says)
		}
	}
	for name, text := range map[string]string{
		"mark": "\ufeff" + minimal, "CRLF": strings.ReplaceAll(minimal, "\n", "\r\n"), "CR": strings.ReplaceAll(minimal, "\n", "\r"),
		"JSON": `{"model": "a/b", "engine": {"image": "c"}}`, "one document": "---\n" + minimal + "...\n", "a tab after a colon": "model:\ta/b\nengine: {image:\tc}\n",
	} {
		if e, err := Decode("x.yaml", []byte(text), Options{}); err != nil || e.Model != "a/b" || e.Engine.Image != "c" {
			t.Errorf("%s: %v, %q %q", name, err, e.Model, e.Engine.Image)
		}
	}
	if _, _, err := ReadFile(filepath.Join(t.TempDir(), "none.yaml"), Options{}); err == nil {
		t.Error("read a file that is not there")
	}
}
