package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/llenergymeasure/llem/internal/study"
)

// isLong says whether a study takes so long that llem asks before it begins.
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
