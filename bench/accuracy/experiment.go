package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// This file is about whole experiments: the reference engine in a container,
// behind a proxy that switches the stand-in's power (cmd/llem/testdata/engine).

// image is built by buildImage.
const image = "llem-accuracy/engine"

// experimentText is the file that llem run is given. Four requests at once for some
// seconds; the GPUs draw less where fewer are in flight.
const experimentText = `name: accuracy
model: reference/tiny
engine:
  image: ` + image + `
  args: {x-pace: 20, x-file: %FILE%, x-gpu: "%GPUS%", x-loading: %LOADING%, x-idle: %IDLE%, x-busy: %BUSY%, x-batch: 4, load-delay: %DELAY%}
  container: {mounts: ['%FILE%:%FILE%']}
gpus: [%GPUS%]
parallel: {tensor: %COUNT%}
workload: {prompts: %PROMPTS%, max_input_tokens: 16, max_output_tokens: %TOKENS%, load: {concurrency: 4}}
warmup: {n_warmup: 1%FLOOR%}
energy: {backend: nvml, host: none}
`

// buildImage builds the engine's image from the working folder's sources.
func buildImage(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "llem-accuracy-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, args := range [][]string{
		{"go", "build", "-o", filepath.Join(dir, "reference"), "./images/reference"},
		{"go", "build", "-o", filepath.Join(dir, "engine"), "./cmd/llem/testdata/engine"},
		{"cp", "cmd/llem/testdata/engine/Dockerfile", dir},
		{"docker", "build", "-q", "-t", image, dir},
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// record is what is read of result.json. Names of a u come in the order in which
// they are looked for.
type record struct {
	Start    *time.Time        `json:"window_started_at"`
	Seconds  *float64          `json:"window_seconds"`
	Total    *float64          `json:"energy_total_j"`
	Adjusted *float64          `json:"energy_adjusted_j"`
	Baseline *float64          `json:"baseline_power_w"`
	Unknown  map[string]string `json:"unknown"`
	Severity map[string]string `json:"warning_severities"`
	Engine   struct {
		StartupJ  *float64 `json:"startup_energy_j"`
		UStartupJ *float64 `json:"u_startup_energy_j"`
	} `json:"engine"`
	Energy struct {
		Valid      bool               `json:"valid"`
		Reasons    []string           `json:"reasons"`
		Method     string             `json:"method"`
		U          *float64           `json:"u_repeatability_j"`
		UAdjusted  *float64           `json:"u_adjusted_j"`
		Idle       *float64           `json:"engine_idle_power_w"`
		UIdle      *float64           `json:"u_engine_idle_power_w"`
		Components map[string]float64 `json:"components"`
		Baseline   *struct {
			U *float64 `json:"u_w"`
		} `json:"baseline"`
		Steady *struct {
			Start   float64  `json:"start_seconds"`
			Seconds float64  `json:"seconds"`
			EnergyJ *float64 `json:"energy_j"`
			U       *float64 `json:"u_j"`
		} `json:"steady"`
	} `json:"energy"`
}

// watts are what one experiment's GPUs draw, each.
type watts struct {
	bare, loading, idle, busy float64
}

// experiment runs one experiment and returns an outcome for each of its figures.
func (b *bench) experiment(ctx context.Context, c condition, k int, dir string, base outcome) ([]outcome, error) {
	r := rand.New(rand.NewPCG(b.seed, hash(c.name())+uint64(k)))
	w := watts{bare: uniform(r, 40, 70), loading: uniform(r, 90, 160), busy: uniform(r, 180, 350)}
	w.idle = w.bare + uniform(r, 5, 25) // the model is resident
	gpus := make([]standin.GPU, c.gpus)
	for i := range gpus {
		var err error
		if gpus[i], err = c.instrument.draw(r); err != nil {
			return nil, err
		}
		gpus[i].Power = w.bare
	}
	file := filepath.Join(dir, "gpus")
	control, err := standin.New(file, gpus...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = control.Close() }()
	if err := b.experimentFile(r, c, w, dir); err != nil {
		return nil, err
	}
	args := []string{"run", "-q", "-o", filepath.Join(dir, "out")}
	if c.shape.quick {
		args = append(args, "--quick")
	}
	clocks := realMinusMonotonic()
	if _, err := runLLEM(ctx, b.llem, dir, hostEnv(dir, file, b.library), append(args, filepath.Join(dir, "experiment.yaml"))...); err != nil {
		return nil, err
	}
	found, _ := filepath.Glob(filepath.Join(dir, "out", "*", "result.json")) // the pattern is good
	if len(found) != 1 {
		return nil, fmt.Errorf("llem run left %d records", len(found))
	}
	return b.read(found[0], control, w, clocks, base)
}

func (b *bench) experimentFile(r *rand.Rand, c condition, w watts, dir string) error {
	var list []string
	for i := range c.gpus {
		list = append(list, fmt.Sprint(i))
	}
	floor := ", thermal_floor_seconds: 30"
	if c.shape.quick {
		floor = ""
	}
	rounds, tokens := 2+r.IntN(2), 70+r.IntN(80) // of 1.4 to 3 s
	number := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	text := strings.NewReplacer("%FILE%", filepath.Join(dir, "gpus"), "%GPUS%", strings.Join(list, ","), "%COUNT%", fmt.Sprint(c.gpus), "%LOADING%", number(w.loading),
		"%IDLE%", number(w.idle), "%BUSY%", number(w.busy), "%DELAY%", between(r, 1500*ms, 4*time.Second).String(),
		"%PROMPTS%", fmt.Sprint(4*rounds), "%TOKENS%", fmt.Sprint(tokens), "%FLOOR%", floor).Replace(experimentText)
	return os.WriteFile(filepath.Join(dir, "experiment.yaml"), []byte(text), 0o644)
}

// read compares a record's figures with what was true between its own instants.
func (b *bench) read(path string, control *standin.Control, w watts, clocks time.Duration, base outcome) (out []outcome, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if r.Start == nil || r.Seconds == nil {
		return nil, fmt.Errorf("%s has no window", path)
	}
	t0 := time.Duration(r.Start.UnixNano()) - clocks
	after := func(s float64) time.Duration { return t0 + time.Duration(s*float64(time.Second)) }
	n := float64(control.GPUs())
	base.Seconds, base.Method, base.Parts, base.Warned = *r.Seconds, r.Energy.Method, r.Energy.Components, codes(r.Severity)
	add := func(quantity, path string, truth float64, said, u *float64, ofWindow bool) {
		o := base
		o.Quantity, o.Truth, o.Said, o.U, o.Valid, o.Reasons = quantity, truth, said, u, true, nil
		if ofWindow {
			o.Valid, o.Reasons = r.Energy.Valid, r.Energy.Reasons
		}
		u0 := map[string]string{"engine.startup_energy_j": "engine.u_startup_energy_j", "energy.steady.energy_j": "energy.steady.u_j"}[path]
		if said == nil && r.Unknown[path] != "" || said != nil && u == nil && r.Unknown[u0] != "" {
			o.Valid, o.Reasons = false, append(o.Reasons, "unknown")
		}
		out = append(out, o)
	}
	total, err := truth(control, t0, after(*r.Seconds))
	if err != nil {
		return nil, err
	}
	add("energy_total_j", "energy_total_j", total, r.Total, r.Energy.U, true)
	add("energy_adjusted_j", "energy_adjusted_j", total-n*w.bare**r.Seconds, r.Adjusted, r.Energy.UAdjusted, true)
	var uBaseline *float64
	if r.Energy.Baseline != nil {
		uBaseline = r.Energy.Baseline.U
	}
	add("baseline_power_w", "baseline_power_w", n*w.bare, r.Baseline, uBaseline, false)
	if base.quickRun() {
		return out, nil // it has no floor, and may have no slice
	}
	add("engine_idle_power_w", "energy.engine_idle_power_w", n*w.idle, r.Energy.Idle, r.Energy.UIdle, false)
	if s := r.Energy.Steady; s != nil {
		slice, err := truth(control, after(s.Start), after(s.Start+s.Seconds))
		if err != nil {
			return nil, err
		}
		add("steady.energy_j", "energy.steady", slice, s.EnergyJ, s.U, true)
	}
	from, to, err := launch(filepath.Dir(path), clocks)
	if err != nil {
		return nil, err
	}
	start, err := truth(control, from, to)
	if err != nil {
		return nil, err
	}
	add("startup_energy_j", "engine.startup_energy_j", start, r.Engine.StartupJ, r.Engine.UStartupJ, false)
	return out, nil
}

func (o *outcome) quickRun() bool { return strings.Contains(o.Condition, "--quick") }

// launch is between the readings that open and close the phase launch, whose energy
// is startup_energy_j.
func launch(dir string, clocks time.Duration) (from, to time.Duration, err error) {
	rows, err := result.ReadSamples(filepath.Join(dir, result.SamplesFile))
	if err != nil {
		return 0, 0, err
	}
	for _, s := range rows {
		if s.Phase != "launch" || !s.Edge {
			continue
		}
		at := time.Duration(s.UTCNS) - clocks
		if from == 0 || at < from {
			from = at
		}
		to = max(to, at)
	}
	if from == 0 {
		return 0, 0, fmt.Errorf("%s has no readings of the launch", dir)
	}
	return from, to, nil
}
