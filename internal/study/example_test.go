package study_test

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/study"
)

func ExampleDecode() {
	e, err := study.Decode("experiment.yaml", []byte(`
model: reference/small
engine: {image: llem/reference}
workload: {load: {concurrency: 4}}
`), study.Options{})
	fmt.Println(e.Model, e.Workload.Load.Concurrency, e.Baseline.DurationSeconds, err)
	// Output:
	// reference/small 4 30 <nil>
}

// All problems of a file come at once, each with its line.
func ExampleDecode_problems() {
	_, err := study.Decode("experiment.yaml", []byte("model: m\nwarmup: {n_warmpu: 5, thermal_floor_seconds: 10}\n"), study.Options{})
	for _, p := range study.Problems(err) {
		fmt.Println(p.Error())
	}
	// Output:
	// experiment.yaml:2:10: warmup.n_warmpu: unknown key; did you mean "n_warmup"?
	//     warmup: {n_warmpu: 5, thermal_floor_seconds: 10}
	//              ^
	// experiment.yaml:2:46: warmup.thermal_floor_seconds: 10 is out of range: 30 to 604800; only with --quick may it be less
	//     warmup: {n_warmpu: 5, thermal_floor_seconds: 10}
	//                                                  ^
}

// Files that mean the same have one hash: names do not count.
func ExampleExperiment_ConfigHash() {
	a, _ := study.Decode("a.yaml", []byte("name: monday\nmodel: reference/small\n"), study.Options{})
	b, _ := study.Decode("b.yaml", []byte("model: reference/small\nwarmup: {n_warmup: 5}\n"), study.Options{})
	fmt.Println(a.ConfigHash() == b.ConfigHash())
	// Output:
	// true
}

func ExampleStudy_Plan() {
	s, err := study.DecodeStudy("study.yaml", []byte(`
name: concurrency
model: reference/small
engine: {image: llem/reference}
sweep: {workload.load.concurrency: [1, 8]}
execution: {cycles: 2, order: interleave}
`), study.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := s.Plan()
	if err != nil {
		fmt.Println(err)
		return
	}
	for r := range p.Runs() {
		fmt.Println("cycle", r.Cycle, p.Points[r.Point].Name)
	}
	// Output:
	// cycle 1 concurrency-1
	// cycle 1 concurrency-8
	// cycle 2 concurrency-1
	// cycle 2 concurrency-8
}

// What is saved of a file has none of its secrets.
func ExampleRedact() {
	fmt.Print(string(study.Redact([]byte("model: reference/small\nengine: {env: {HF_TOKEN: hf_secret}}\n"))))
	// Output:
	// model: reference/small
	// engine: {env: {HF_TOKEN: REDACTED}}
}

func ExampleDiff() {
	fmt.Print(study.Diff([]byte("model: reference/small\nseed: 1\n"), []byte("model: reference/small\nseed: 2\n")))
	// Output:
	// --- as it was begun
	// +++ as it is now
	// @@ -1,2 +1,2 @@
	//  model: reference/small
	// -seed: 1
	// +seed: 2
}

// A variable stands above the file, and a flag above both.
func ExampleEnviron() {
	env, err := study.Environ([]string{"HOME=/root", "LLEM_SEED=7", "LLEM_WORKLOAD_PROMPTS=5"})
	if err != nil {
		fmt.Println(err)
		return
	}
	flag := study.Set{Path: "seed", Value: "9", Source: "--seed"}
	e, err := study.Decode("experiment.yaml", []byte("model: reference/small\nseed: 1\n"), study.Options{Env: env, Flags: []study.Set{flag}})
	fmt.Println(e.Workload.Prompts, e.Seed, err)
	// Output:
	// 5 9 <nil>
}

// A variable that is nearly a key's is refused: nothing else would show the misspelling.
func ExampleEnviron_misspelt() {
	_, err := study.Environ([]string{"LLEM_WORKLOAD_PROMTS=5"})
	fmt.Println(err)
	// Output:
	// LLEM_WORKLOAD_PROMTS: sets no key; did you mean LLEM_WORKLOAD_PROMPTS? Else unset it
}

// A configuration that was written has lost its secrets; the environment gives them back.
func ExampleExperiment_Restore() {
	e, err := study.Decode("config.yaml", []byte("model: a/b\nengine: {env: {HF_TOKEN: REDACTED}}\n"), study.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, asked := e.Restore(func(variable string) (string, bool) { return "hf_mine", variable == "HF_TOKEN" })
	fmt.Println(e.Engine.Env["HF_TOKEN"], asked[0].Path, asked[0].Found)
	// Output:
	// hf_mine engine.env.HF_TOKEN true
}
