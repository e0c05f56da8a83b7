package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// planRecord is a study's plan as it is written: who carries it out, and where, is
// still to be filled in.
func planRecord(p *study.Plan) result.StudyPlan {
	out := result.StudyPlan{
		SchemaVersion: result.SchemaVersion, Name: p.Name, Hash: p.Hash, LlemVersion: version, Sets: []result.StudySet{},
		Quick: p.Quick, Execution: p.Execution, CyclesAsked: p.Asked, Swept: p.Swept(),
		Points: make([]result.StudyPoint, len(p.Points)), Runs: make([][2]int, 0, p.Len()),
		Host: result.StudyHost{GPUs: []string{}}, Images: []result.StudyImage{}, LeastSeconds: p.AtLeast().Seconds(),
	}
	for i, x := range p.Points {
		point := result.StudyPoint{Name: x.Name, ConfigHash: x.Hash, Invalid: x.Invalid, Settings: map[string]string{}}
		if x.Same >= 0 {
			same := x.Same + 1
			point.SameAs = &same
		}
		for _, s := range p.Settings(i) {
			point.Settings[s.Path] = s.Value
		}
		out.Points[i] = point
	}
	for r := range p.Runs() {
		out.Runs = append(out.Runs, [2]int{r.Cycle, r.Point + 1})
	}
	return out
}

// isLong says whether a study is one that nobody begins by accident.
func isLong(p *study.Plan) bool { return p.Len() > manyRuns || p.AtLeast() > longStudy }

// confirm asks before a long study is begun; yes answers beforehand.
func (a *app) confirm(p *study.Plan, yes bool) error {
	if yes || !isLong(p) {
		return nil
	}
	what := fmt.Sprintf("%s has %d runs, which take at least %s and what the engines need on top", p.Name, p.Len(), rough(p.AtLeast()))
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError{fmt.Errorf("%s: say --yes if that is meant, or see `llem run --dry-run`", what)}
	}
	return a.ask(p.Name, what, os.Stdin)
}

// ask begins only what is meant: what is said of it, and yes is answered.
func (a *app) ask(name, what string, from io.Reader) error {
	fmt.Fprintf(a.stderr, "%s. Begin? [y/N] ", what)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(from).ReadString('\n') // no answer is none
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case said := <-answer:
		if said == "y" || said == "yes" {
			return nil
		}
		return usageError{fmt.Errorf("%s was not begun", name)}
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
}
