package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

type runCmd struct {
	Config string `arg:"" optional:"" predictor:"yaml" help:"Experiment or study file, see llem config init; with --resume a study's folder of results."`

	Resume        bool    `help:"Go on with a study that was stopped: the one in the folder that is given, else the newest in results (or -o)."`
	AcceptChanges bool    `help:"With --resume: go on although the study's file was changed."`
	FailFast      bool    `help:"End a study at its first failed run. Default: after execution.max_consecutive_failures in a row (3)."`
	Versus        *string `placeholder:"NAME|A" help:"The point of a study that the others are compared with, by its name or letter. Default: the first. Example: A."`
	Yes           bool    `help:"Begin a study of over 100 runs or 24 hours without asking."`
	Repeat        *string `short:"r" help:"Run the experiment N times and give means with their intervals: a study of one point, in a folder that --resume takes. Example: 5." placeholder:"N"`

	From          *string    `predictor:"result" help:"Run a result's experiment again, with its configuration and the very same image. Other flags change it." placeholder:"RESULT"`
	Image         *string    `help:"Container image of the engine, or an engine's name for its own image. Example: ${engine}, or ${upstream}:v0.27.1." placeholder:"IMAGE"`
	BaseURL       *string    `name:"base-url" help:"Address of a server that already runs on this host, instead of an image. Example: http://127.0.0.1:8000." placeholder:"URL"`
	Engine        *string    `predictor:"engine" help:"Name of the engine, where its image does not show it; llem engines lists them. Example: ${engine}." placeholder:"NAME"`
	ServedModel   *string    `help:"What the server calls the model, where that is another name than --model." placeholder:"NAME"`
	Model         *string    `help:"Model to run: a Hugging Face id, a folder, a .gguf file, or reference/PRESET. Example: Qwen/Qwen3-0.6B." placeholder:"MODEL"`
	GPUs          *string    `name:"gpus" help:"GPUs to measure: auto (the first free ones), none, or indices and UUIDs. Default: auto. Example: 0,1." placeholder:"LIST"`
	EnergyBackend *string    `predictor:"backend" help:"Who owns the energy figure: auto, nvml, zeus, codecarbon or none. Default: auto." placeholder:"NAME"`
	Output        *string    `short:"o" predictor:"dir" help:"Folder where results go; it is made. Default: results." placeholder:"DIR"`
	Pull          *string    `predictor:"pull" help:"When image and model are fetched: missing, always or never. Default: missing." placeholder:"WHEN"`
	Timeout       *timeLimit `help:"Give up this long after the server is ready, with its unit: 90s, 10m, 2h. Default: no limit." placeholder:"10m"`
	WaitGPU       bool       `name:"wait-gpu" help:"Wait until the GPUs are free instead of refusing."`
	Quick         bool       `help:"For trying things: a short baseline, no thermal floor, few prompts. The result is flagged quick_mode and is not ranked."`
	DryRun        bool       `help:"Print the experiment and the container it would start, or a study's plan, and stop."`
	JSON          bool       `name:"json" help:"Print the record as JSON instead of the table; of a study its summary, with --dry-run its plan."`

	loadFlags
}

// sets are the values that flags give. A flag that was given without one says
// nothing, and is refused.
func (c *runCmd) sets() ([]study.Set, error) {
	var out []study.Set
	var blank error
	add := func(path string, value *string, flag string) {
		if value == nil {
			return
		}
		if strings.TrimSpace(*value) == "" {
			blank = errors.Join(blank, fmt.Errorf("%s: blank: give a value or leave the flag out", flag))
			return
		}
		out = append(out, study.Set{Path: path, Value: *value, Source: flag})
	}
	add("execution.cycles", c.Repeat, study.FlagRepeat)
	add("engine.image", c.Image, "--image")
	add("engine.endpoint", c.BaseURL, "--base-url")
	add("engine.name", c.Engine, "--engine")
	add("engine.served_model", c.ServedModel, "--served-model")
	add("model", fromHere(c.Model), "--model")
	add("gpus", c.GPUs, "--gpus")
	add("energy.backend", c.EnergyBackend, "--energy-backend")
	add("output.dir", c.Output, "--output")
	add("engine.pull", c.Pull, "--pull")
	c.loadFlags.add(add)
	return out, errors.Join(blank, c.loadFlags.check())
}

// environ is what the environment sets, paths relative to where llem runs.
func environ() ([]study.Set, error) {
	env, err := study.Environ(os.Environ())
	if err != nil {
		return nil, usageError{err}
	}
	for i := range env {
		switch env[i].Path {
		case "model":
			env[i].Value = *fromHere(&env[i].Value)
		case "engine.api_key_file", "engine.headers_file":
			if abs, err := filepath.Abs(env[i].Value); err == nil {
				env[i].Value = abs
			}
		}
	}
	return env, nil
}

// fromHere makes a path absolute that begins with a dot: one on a command line is
// relative to where it is written, one in a file to the file.
func fromHere(path *string) *string {
	if path == nil || !strings.HasPrefix(*path, ".") {
		return path
	}
	abs, err := filepath.Abs(*path)
	if err != nil {
		return path
	}
	return &abs
}

func (c *runCmd) Run(a *app) error {
	outlivePipes()
	if c.Resume {
		return c.resumeStudy(a)
	}
	q, err := c.experiment()
	switch {
	case err != nil:
		return err
	case q.study != nil:
		return c.beginStudy(a, q.study)
	}
	if err := c.onlyStudies(); err != nil {
		return err
	}
	watch := &observer{w: a.stderr, bars: a.out.stderr, quiet: a.quiet, terminal: isTerminal(a.out.stderr)}
	r, err := c.runner(a, q, watch)
	if err != nil {
		return err
	}
	defer r.close()
	for _, n := range q.notes {
		watch.Say(n)
	}
	if c.DryRun && c.JSON {
		return usageError{errors.New("--json and --dry-run: the plan of one experiment is a file that llem run takes, and not JSON; leave --json out")}
	}
	if c.DryRun {
		return c.dryRun(a, r.Runner, q.e)
	}
	out, err := r.Execute(a.ctx, q.e)
	if out.Record != nil {
		err = errors.Join(err, a.printed(c.print(a, out.Record, out.Dir), out.Dir))
	}
	return err
}

// onlyStudies refuses the flags of studies for one experiment.
func (c *runCmd) onlyStudies() error {
	for name, set := range map[string]bool{"--accept-changes": c.AcceptChanges, "--fail-fast": c.FailFast, "--versus": c.Versus != nil, "--yes": c.Yes} {
		if set {
			return usageError{fmt.Errorf("%s is of studies, and this is one experiment: leave it out", name)}
		}
	}
	return nil
}

// runner runs experiments, in containers of a daemon; nil: of servers that already
// run. Close it.
type runner struct {
	*harness.Runner
	daemon launch.Daemon
}

func (r runner) close() {
	if r.daemon != nil {
		r.daemon.Close()
	}
}

// runner is what runs q.
func (c *runCmd) runner(a *app, q asked, watch *observer) (runner, error) {
	token := hfToken()
	key, headers := credentials()
	r := &harness.Runner{
		APIKey: key, Headers: headers,
		OpenGPUs: openGPUs, OpenHost: openHost, OpenInstrument: a.openInstrument, Log: a.log, Version: version, CacheDir: cacheDir(),
		Observer: watch, HFToken: token != "", From: q.from, SameImage: q.sameImage,
		Input: study.Redact(q.input), Hurry: a.hurry, WaitGPU: c.WaitGPU,
	}
	if c.Timeout != nil {
		r.Timeout = time.Duration(*c.Timeout)
	}
	a.last.Store(r.PutBack)
	if q.e.Engine.Endpoint != "" {
		return runner{Runner: r}, nil
	}
	d, err := a.openLauncher(a.ctx, launch.Options{Token: token, Say: watch.Say, Hurry: a.hurry})
	if err != nil {
		return runner{}, err
	}
	r.Launcher = d
	left, _, err := d.Orphans(a.ctx, ownerOf)
	if err == nil && len(left) > 0 && !c.Resume { // what the study itself left is removed
		watch.Say(fmt.Sprintf("%d left over of runs that were killed, %s among them, may disturb this one: `llem clean` removes what was left", len(left), left[0].Name))
	}
	return runner{r, d}, nil
}

// printed is the error of a result in dir that could not be printed. That nobody
// reads it any more is only said: the run is none the worse for it.
func (a *app) printed(err error, dir string) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the result could not be printed (%w); it is in %s", err, dir)
	if errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(a.stderr, "llem:", err)
		return nil
	}
	return err
}

func (c *runCmd) print(a *app, r *result.Record, dir string) error {
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	fmt.Fprintln(a.stdout)
	return a.write(report.Record(r, dir))
}

// readExperiment reads a file with everything that stands above and below it.
func readExperiment(path string, flags []study.Set, quick bool) (study.Experiment, []byte, error) {
	in, err := readInput(path, flags, quick)
	if err != nil {
		return study.Experiment{}, nil, err
	}
	e, err := oneExperiment(in)
	return e, in.Data, err
}
