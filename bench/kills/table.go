package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
)

// table counts cases by phase, signals and outcome.
type table struct {
	mu     sync.Mutex
	cells  map[row]map[string]int
	kinds  map[kind]int
	kills  int
	failed int
}

type row struct{ phase, signals string }

const failed = "FAILED"

func newTable() *table { return &table{cells: map[row]map[string]int{}, kinds: map[kind]int{}} }

func (t *table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kills
}

// add counts a case; one that ended before it was killed is not a kill.
func (t *table) add(c test, r *result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	outcome := r.outcome
	if len(r.faults) > 0 {
		t.failed++
		outcome = failed
	}
	if r.phase == "" && len(r.faults) == 0 {
		return
	}
	if t.kills++; t.kills%100 == 0 {
		fmt.Printf("%d kills, %d cases failed\n", t.kills, t.failed)
	}
	t.kinds[c.kind]++
	at := row{r.phase, c.signals()}
	if t.cells[at] == nil {
		t.cells[at] = map[string]int{}
	}
	t.cells[at][outcome]++
}

// print writes a line for each phase and signals.
func (t *table) print(w io.Writer) {
	outcomes := []string{whole, finished, nothing, failed}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "phase\tsignals\tkills\t")
	for _, o := range outcomes {
		fmt.Fprintf(out, "%s\t", o)
	}
	fmt.Fprintln(out)
	for _, phase := range phases {
		for _, at := range slices.SortedFunc(maps.Keys(t.cells), func(a, b row) int {
			return len(a.signals)*100 + int(a.signals[0]) - len(b.signals)*100 - int(b.signals[0])
		}) {
			if at.phase == phase {
				line(out, phase+"\t"+at.signals, t.cells[at], outcomes)
			}
		}
	}
	sum := map[string]int{}
	for _, c := range t.cells {
		for o, n := range c {
			sum[o] += n
		}
	}
	line(out, "all\t", sum, outcomes)
	_ = out.Flush() // to standard output
	for _, k := range []kind{single, endpoint, fresh, keeping} {
		fmt.Fprintf(w, "%5d  %s\n", t.kinds[k], k)
	}
}

func line(w io.Writer, title string, counts map[string]int, outcomes []string) {
	total := 0
	for _, o := range outcomes {
		total += counts[o]
	}
	fmt.Fprintf(w, "%s\t%d\t", title, total)
	for _, o := range outcomes {
		fmt.Fprintf(w, "%d\t", counts[o])
	}
	fmt.Fprintln(w)
}
