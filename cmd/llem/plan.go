package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// readInput reads a file with everything that is set above and below it.
func readInput(path string, flags []study.Set, quick bool) (campaign.Source, error) {
	user, err := userFile()
	if err != nil {
		return campaign.Source{}, err
	}
	env, err := environ()
	if err != nil {
		return campaign.Source{}, err
	}
	in := campaign.Source{Options: study.Options{User: user, Env: env, Flags: flags, Quick: quick}}
	in.Name, in.Data, err = study.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return in, usageError{fmt.Errorf("%w; `llem config init` writes a file to start from", err)}
	case err != nil:
		return in, usageError{err}
	}
	return in, nil
}

// oneExperiment decodes the file of one experiment, and refuses a study.
func oneExperiment(in campaign.Source) (study.Experiment, error) {
	if study.IsStudy(in.Data) {
		return study.Experiment{}, usageError{fmt.Errorf("%s is a study, and one experiment is wanted here", in.Name)}
	}
	e, err := study.Decode(in.Name, in.Data, in.Options)
	if err != nil {
		return e, usageError{err}
	}
	return e, nil
}

// What of a long plan is printed, and from where on running one is not begun
// without asking.
const (
	pointsShown = 100
	cyclesShown = 20
	manyRuns    = 100
	longStudy   = 24 * time.Hour
)

// dryRunStudy prints a study's plan: its points, their order, images, models and
// the time. It looks for images where a daemon answers, and pulls nothing.
func dryRunStudy(a *app, p *study.Plan, asJSON bool) error {
	unfit, err := campaign.AsWritten(p).Unfit(a.ctx)
	if err == nil {
		err = p.Refuse(unfit)
	}
	if err != nil {
		return usageError{err}
	}
	if asJSON {
		return printJSON(a.stdout, campaign.PlanOf(p, version))
	}
	said := planSaid(a)
	planSummary(p, said)
	if err := needsSaid(a, p, said); err != nil {
		return usageError{err}
	}
	diskSaid(p, said)
	planPoints(a, p)
	planOrder(a, p)
	return nil
}

func planSaid(a *app) func(what, seen string) {
	return func(what, seen string) { fmt.Fprintf(a.stdout, "# %-12s %s\n", what+":", seen) }
}

// planSummary says what a plan comes to.
func planSummary(p *study.Plan, said func(what, seen string)) {
	said("study", p.Name)
	said("study_hash", p.Hash)
	said("points", pointCount(p))
	if p.Quick {
		said("quick", "every result is marked for ever")
	}
	x := p.Execution
	cycles := fmt.Sprint(x.Cycles)
	if x.Cycles > p.Asked {
		cycles += fmt.Sprintf(", rounded up from %d: a Latin square of %d points has so many rows", p.Asked, len(p.Runnable()))
	}
	said("cycles", cycles)
	order := x.Order
	if order == study.Shuffle || order == study.LatinSquare {
		order += fmt.Sprintf(", seed %d", *x.Seed)
	}
	said("order", order)
	if why := verdictless(p); why != "" {
		said("verdicts", "none: "+why)
	}
	said("restart", x.Restart)
	said("runs", fmt.Sprint(p.Len()))
	said("containers", fmt.Sprintf("%d starts, at least", p.Starts()))
	least := p.AtLeast()
	said("time", fmt.Sprintf("at least %s, by baselines, thermal floors, gaps and schedules; the engines' starts, warmups and windows come on top, and are not known before", rough(least)))
	if limit := time.Duration(x.TimeoutHours * float64(time.Hour)); limit > 0 && limit < least {
		said("note", fmt.Sprintf("execution.timeout_hours ends it after %g h, before it is done", x.TimeoutHours))
	}
	if isLong(p) {
		said("note", fmt.Sprintf("over %d runs or %.0f h: llem run asks before it begins, or wants --yes", manyRuns, longStudy.Hours()))
	}
}

// pointCount says where the points come from and what becomes of them.
func pointCount(p *study.Plan) string {
	names, sizes := p.Axes()
	var from []string
	for i, n := range names {
		from = append(from, fmt.Sprintf("%s %d", oneLine(n), sizes[i]))
	}
	text := fmt.Sprintf("%d", len(p.Points))
	grid := strings.Join(from, " × ")
	if n := p.Listed(); n > 0 {
		grid = strings.TrimPrefix(fmt.Sprintf("%s + experiments %d", grid, n), " + ")
	}
	text += " (" + grid + ")"
	invalid, same := 0, 0
	for _, x := range p.Points {
		if x.Invalid != "" {
			invalid++
		}
		if x.Same >= 0 {
			same++
		}
	}
	if invalid > 0 {
		text += fmt.Sprintf(", %d not valid", invalid)
	}
	if same > 0 {
		text += fmt.Sprintf(", %d the same as another and run once", same)
	}
	if n := len(p.Runnable()); n < len(p.Points) {
		text += fmt.Sprintf(": %d are run", n)
	}
	return text
}

// rough is a time as people say it.
func rough(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= longStudy:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return d.String()
}

// needsSaid says which images and models the runs need, and which of them are here.
func needsSaid(a *app, p *study.Plan, said func(what, seen string)) error {
	if n := p.Nameless(); n > 0 {
		said("image", fmt.Sprintf("%d points name none: give --image, or engine.image", n))
	}
	r := &harness.Runner{OpenGPUs: openGPUs, Log: a.log, Observer: &observer{w: a.stderr, bars: a.out.stderr, quiet: true}}
	d, err := a.openLauncher(a.ctx, launch.Options{})
	if err == nil {
		defer d.Close()
		r.Launcher = d
	}
	for _, i := range p.Images() {
		switch {
		case err != nil:
			said("image", i.Ref+": whether it is here is not known, since no "+launcher().Words.Title+" daemon answers")
		default:
			said("image", i.Ref+": "+imageState(a, d, i))
		}
	}
	list, err := campaign.AsWritten(p).Needs()
	seen := map[string]bool{}
	once := func(what, text string) {
		if !seen[what+text] {
			seen[what+text] = true
			said(what, text)
		}
	}
	for _, e := range list {
		once("model", e.Model+": "+modelState(a, r, e))
		if source := e.Workload.Source; hub.IsDataset(source) {
			once("prompts", source+": "+promptsState(a, e))
		}
	}
	return err
}

// promptsState says whether a dataset is on this host.
func promptsState(a *app, e study.Experiment) string {
	_, err := hub.EnsureDataset(a.ctx, hub.Options{Model: e.Workload.Source, Pull: "never"})
	switch {
	case errors.Is(err, hub.ErrNotFound) && e.Engine.Pull != "never":
		return "would be downloaded"
	case err != nil:
		return oneLine(err.Error())
	}
	return "is here"
}

// modelState says whether an experiment's model is on this host.
func modelState(a *app, r *harness.Runner, e study.Experiment) string {
	const later = "whether it is here shows when its engine is known"
	if e.Engine.Endpoint == "" && (e.Engine.Image == "" || r.Launcher == nil) {
		return later
	}
	never := e
	never.Engine.Pull, never.Workload.Source = "never", "synthetic"
	got, err := r.Pull(a.ctx, never)
	switch {
	case errors.Is(err, launch.ErrNoImage):
		return later
	case errors.Is(err, hub.ErrNotFound) && !hub.IsPath(e.Model) && e.Engine.Pull != "never":
		return "would be downloaded"
	case err != nil:
		return oneLine(e.Hide(err.Error()))
	case got.Model.Path == "":
		return "is the engine's own to find"
	}
	return "is here"
}

// diskSaid says what the results take, and what is free.
func diskSaid(p *study.Plan, said func(what, seen string)) {
	first, err := p.Experiment(p.Runnable()[0])
	if err != nil {
		return
	}
	text := fmt.Sprintf("about %s of results, and at most 64 MiB of log for each run", sizeOf(p.Bytes()))
	if free, ok := harness.FreeSpace(first.Output.Dir); ok {
		text += fmt.Sprintf("; %s are free at %s", sizeOf(int64(free)), first.Output.Dir)
	}
	said("disk", text)
}

func imageState(a *app, d launch.Launcher, i study.Image) string {
	_, err := d.Resolve(a.ctx, i.Ref, "never", nil)
	missing := errors.Is(err, launch.ErrNoImage)
	switch {
	case err != nil && !missing:
		return err.Error()
	case missing && i.Pull == "never":
		return "is not here, and engine.pull is never"
	case missing || i.Pull == "always":
		return "would be pulled"
	}
	return "is here"
}

// planPoints lists the points with what each changes.
func planPoints(a *app, p *study.Plan) {
	fmt.Fprintln(a.stdout, "#\n# points, numbered from 1:")
	for i, x := range p.Points[:min(len(p.Points), pointsShown)] {
		fmt.Fprintf(a.stdout, "%5d  %s\n", i+1, x.Name)
		for _, s := range p.Settings(i) {
			fmt.Fprintf(a.stdout, "         %s\n", oneLine(s.Path+": "+s.Value))
		}
		switch {
		case x.Invalid != "":
			fmt.Fprintf(a.stdout, "         not valid, and not run: %s\n", oneLine(x.Invalid))
		case x.Same >= 0:
			fmt.Fprintf(a.stdout, "         the same as point %d, and not run again\n", x.Same+1)
		}
	}
	if more := len(p.Points) - pointsShown; more > 0 {
		fmt.Fprintf(a.stdout, "# and %d more\n", more)
	}
}

// oneLine keeps control characters of a value from the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// verdictless says why a study's table will have no verdicts; empty: it may have some,
// or it has nothing to compare.
func verdictless(p *study.Plan) string {
	const cycles = 3 // that can distinguish a difference from drift
	switch {
	case len(p.Runnable()) < 2:
		return ""
	case p.Execution.Order == study.Sequential:
		return "where points run one after the other, drift looks like a difference; use execution.order shuffle or interleave"
	case p.Execution.Cycles < cycles:
		return fmt.Sprintf("drift cannot be distinguished from a difference in so few cycles (%d); use execution.cycles %d or more", p.Execution.Cycles, cycles)
	}
	return ""
}

// planOrder lists the runs as numbers of points, a line for each cycle, or for each
// point where all its cycles follow one another.
func planOrder(a *app, p *study.Plan) {
	if p.Execution.Order == study.Sequential {
		fmt.Fprintf(a.stdout, "#\n# order: each point %d times, then the next\n", p.Execution.Cycles)
		return
	}
	fmt.Fprintln(a.stdout, "#\n# order, by cycle:")
	cycle, inCycle := 0, 0
	for r := range p.Runs() {
		if r.Cycle != cycle {
			if r.Cycle > cyclesShown {
				fmt.Fprintf(a.stdout, "\n# and %d more cycles", p.Execution.Cycles-cyclesShown)
				break
			}
			if cycle > 0 {
				fmt.Fprintln(a.stdout)
			}
			cycle, inCycle = r.Cycle, 0
			fmt.Fprintf(a.stdout, "%5d ", cycle)
		}
		switch inCycle++; {
		case inCycle <= pointsShown:
			fmt.Fprintf(a.stdout, " %d", r.Point+1)
		case inCycle == pointsShown+1:
			fmt.Fprint(a.stdout, " …")
		}
	}
	fmt.Fprintln(a.stdout)
}
