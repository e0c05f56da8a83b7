package measure

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// boards are sensors that behave otherwise than any one model has them.
var boards = map[string]board{
	"full":              {tau: 0.1, duty: 1, cc: "8.6"},
	"full 20ms":         {tau: 0.02, duty: 1, cc: "8.6"},
	"full 500ms":        {tau: 0.5, duty: 1, cc: "8.6"},
	"late 10":           {tau: 0.1, duty: 1, late: 0.01, lateP: 0.01, cc: "8.6"},
	"late 30":           {tau: 0.1, duty: 1, late: 0.03, lateP: 0.03, cc: "8.6"},
	"late 50":           {tau: 0.1, duty: 1, late: 0.05, lateP: 0.05, cc: "8.6"},
	"calls 5-30":        {tau: 0.1, duty: 1, call: 0.005, callMax: 0.03, cc: "8.6"},
	"H100 own counter":  {tau: 0.1, duty: 0.25, look: 0.75, own: true, cc: "9.0"},
	"H100 first":        {tau: 0.1, duty: 0.25, look: 0, cc: "9.0"},
	"H100 middle":       {tau: 0.1, duty: 0.25, look: 0.4, cc: "9.0"},
	"H100 last":         {tau: 0.1, duty: 0.25, look: 0.75, cc: "9.0"},
	"H100 1s":           {tau: 1, duty: 0.25, look: 0.75, cc: "9.0"},
	"10.0 quarter":      {tau: 0.1, duty: 0.25, look: 0.3, cc: "10.0"},
	"no cc, quarter":    {tau: 0.1, duty: 0.25, look: 0, cc: ""},
	"V100 half":         {tau: 0.02, duty: 0.5, look: 0.5, cc: "7.0"},
	"step 15 J":         {tau: 0.1, duty: 1, step: 15, cc: "8.6"},
	"jitter 30":         {tau: 0.1, duty: 1, jitter: 0.03, cc: "8.6"},
	"no counter 100ms":  {tau: 0.1, duty: 1, noCounter: true, cc: "8.6"},
	"no counter 1s":     {tau: 1, duty: 1, noCounter: true, cc: "8.6"},
	"no counter, lag":   {tau: 0.1, duty: 1, lag: 1, noCounter: true, cc: "8.6"},
	"no counter, stuck": {tau: 0.1, duty: 1, stuck: true, noCounter: true, cc: "8.6"},
	"only mean":         {tau: 0.1, duty: 1, mean: true, noCounter: true, cc: "8.6"},
	"only mean, 7.0":    {tau: 0.1, duty: 1, mean: true, noCounter: true, cc: "7.0"},
	"counter and mean":  {tau: 0.1, duty: 1, mean: true, cc: "8.6"},
	"3 % low":           {tau: 0.1, duty: 1, low: 0.03, cc: "8.6"},
	"power 500":         {tau: 0.1, powerTau: 0.5, duty: 1, cc: "8.6"},
	"power 1s lag":      {tau: 0.1, lag: 1, duty: 1, cc: "8.6"},
}

// What each family comes to, for eyes: LLEM_FAMILIES=1.
func TestFamilies(t *testing.T) {
	pick := os.Getenv("LLEM_FAMILIES")
	if pick == "" {
		t.Skip()
	}
	type row struct {
		name                string
		covered, n, refused int
		bias                float64
		errs, widths        []float64
	}
	var rows []*row
	var mu sync.Mutex
	var wg sync.WaitGroup
	sem := make(chan struct{}, 2)
	for name, b := range boards {
		if pick != "1" && !strings.Contains(name, pick) {
			continue
		}
		for shape, sh := range shapesOf {
			for _, gpus := range []int{1, 4} {
				wg.Go(func() {
					sem <- struct{}{}
					defer func() { <-sem }()
					r := &row{name: fmt.Sprintf("%-18s %-16s %d", name, shape, gpus)}
					for seed := range uint64(40) {
						T := 3 + 7*float64(seed%8)/7
						if b.tau >= 0.5 {
							T += 7
						}
						p := b.window(seed, sh, T, gpus, []hostOf{0.0002, 0.003}[seed%2])
						es := WindowEnergy(p.samples, p.sensors, p.from, p.to)
						total := Total(es)
						u, _ := TotalU(es)
						if total == nil || u == nil {
							r.refused++
							continue
						}
						e := float64(*total) - p.truth
						r.n++
						if math.Abs(e) <= 2*float64(*u) {
							r.covered++
						}
						r.bias += e / p.truth
						r.errs = append(r.errs, math.Abs(e)/p.truth)
						r.widths = append(r.widths, 2*float64(*u)/p.truth)
					}
					mu.Lock()
					rows = append(rows, r)
					mu.Unlock()
				})
			}
		}
	}
	wg.Wait()
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.name, b.name) })
	for _, r := range rows {
		if r.n == 0 {
			fmt.Printf("%s  refused %d\n", r.name, r.refused)
			continue
		}
		slices.Sort(r.errs)
		slices.Sort(r.widths)
		flag := ""
		if float64(r.covered) < 0.93*float64(r.n) {
			flag = "FAIL"
		}
		fmt.Printf("%s %3d/%-3d ref %-3d bias %+.3f%% p95 %.3f%% width %.3f%% %s\n", r.name, r.covered, r.n, r.refused, 100*r.bias/float64(r.n), 100*r.errs[len(r.errs)*95/100], 100*r.widths[len(r.widths)/2], flag)
	}
}
