package report

import (
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// Levels of a comparison.
const (
	familyAlpha = 0.05 // chance that any verdict of a table is false
	power       = 0.8  // with which the repeats that are named would show a difference
)

// Comparison is what `llem compare --json` prints.
type Comparison struct {
	Versus      string       `json:"versus"`      // label of the point that the others are compared with; empty where none has a figure
	Alpha       float64      `json:"alpha"`       // chance that any verdict is false, over all of them, under what is assumed
	Comparisons int          `json:"comparisons"` // with a verdict: the family that Holm's correction is over
	Assumes     []string     `json:"assumes"`     // what the verdicts assume, as it is printed
	Differs     []Differs    `json:"differs"`     // what the points differ in
	Points      []Point      `json:"points"`
	Differences []Difference `json:"differences"` // in energy per output token, of each other point that may be compared
}

// Differs is one thing that is not the same for all points.
type Differs struct {
	Key    string            `json:"key"`    // of the configuration, or what it is
	Values map[string]string `json:"values"` // by the points' labels; missing where unknown
}

// Point is the results of one configuration, requests, software and GPU model.
type Point struct {
	Label                 string         `json:"label"` // A, B …
	Name                  string         `json:"name"`
	ConfigHash            string         `json:"config_hash"`
	Sent                  string         `json:"sent"`    // requests.prompt_checksum, else workload_hash; of a closed loop by seconds a hash over what its requests are
	Results               []string       `json:"results"` // directories of the repeats; of a study its own folders
	LeftOut               []Left         `json:"left_out"`
	Apart                 []string       `json:"apart"` // why it may not be compared with versus
	EnergyPerOutputTokenJ *Mean          `json:"energy_per_output_token_j"`
	EnergyAbsolute95J     *float64       `json:"energy_absolute95_j"` // half of the 95 % interval of that mean with the gain of the sensors besides, which repeats on one card do not show; null where it is not known
	Completed             int            `json:"completed"`           // runs that the figures below are of
	UMeterJ               *float64       `json:"u_meter_j"`           // the meter's own, of one run: root mean square over the repeats, k = 1
	TokensPerSecond       *Mean          `json:"output_tokens_per_second"`
	TTFTP50MS             *Mean          `json:"ttft_p50_ms"`
	MeanPowerW            *Mean          `json:"mean_power_w"`
	Pareto                bool           `json:"pareto"`  // no other point that may be compared has less J/token and more tokens/s
	Doubts                map[string]int `json:"doubts"`  // code of a warning to the repeats that have it
	Devices               int            `json:"devices"` // different sets of GPUs that the repeats ran on

	runs []Entry
	all  []*result.Record // those left out too
}

// Left is a result that is no repeat of its point, and why.
type Left struct {
	Result string `json:"result"`
	Reason string `json:"reason"`
}

// Mean is that of a figure over repeats.
type Mean struct {
	N          int      `json:"n"`
	Mean       float64  `json:"mean"`
	Interval95 *float64 `json:"interval95"` // half of the t-interval of the mean; null with one run
	SD         *float64 `json:"sd"`         // of the repeats
}

// Difference is that of a point from the one that is compared with.
type Difference struct {
	Label       string         `json:"label"`
	Percent     float64        `json:"difference_pct"` // −7.1 is 7.1 % less energy
	Low         *float64       `json:"low_pct"`        // interval at confidence; null where it is not known
	High        *float64       `json:"high_pct"`
	Confidence  float64        `json:"confidence"`     // 1 − the level that Holm's correction gives; 0.95 without a verdict
	Method      string         `json:"method"`         // paired | trend | welch | meter
	P           *float64       `json:"p"`              // null without a verdict
	Verdict     *stats.Verdict `json:"verdict"`        // less | more | no_difference_shown; null where there can be none
	NoVerdict   *string        `json:"no_verdict"`     // why there is no verdict: single_run | no_spread | order_unknown | runs_overlap | other_gpus | other_hosts | too_few_runs | blocked_order | alternating
	Repeats     *int           `json:"repeats_needed"` // of each point, to show a difference as large; null where none, or no number, is needed
	OtherGPUs   bool           `json:"other_gpus"`     // other devices of the same model: the gain of their sensors is in the interval
	Order       *string        `json:"order"`          // labels of the points in the order in which their runs began; null where it is not known, or says nothing
	Widening    *float64       `json:"widening"`       // what the variance is multiplied by for what drift may do in this order; null: it may do anything, or order is null
	TrendPct    *float64       `json:"trend_pct"`      // change from the first run to the last, of both points; null with fewer than five runs, and where order is
	TrendP      *float64       `json:"trend_p"`        // p-value of no trend, if runs are independent
	Dependence  *float64       `json:"dependence"`     // correlation of each run with the one before, beside points and trend, less what independent runs would have
	DependenceP *float64       `json:"dependence_p"`   // p-value of none
	Sentence    string         `json:"sentence"`

	d stats.Difference
}

// Compare groups results into points and says of each how it differs from the one
// that versus names by its label or its name; empty takes the first that has an
// energy figure. It errs where versus names none, several, or one without a figure.
func Compare(list []Entry, versus string) (*Comparison, error) {
	c := &Comparison{Alpha: familyAlpha, Points: points(list), Assumes: []string{}, Differs: []Differs{}, Differences: []Difference{}}
	base, err := c.base(versus)
	if err != nil {
		return nil, err
	}
	c.Differs = differs(c.Points)
	if base == nil {
		return c, nil
	}
	c.Versus = base.Label
	for i := range c.Points {
		p := &c.Points[i]
		if len(p.runs) > 0 && p != base {
			p.Apart = apart(base, p)
		}
	}
	c.pareto()
	c.compare(base)
	return c, nil
}

// base is the point that the others are compared with; nil where none has a figure.
func (c *Comparison) base(versus string) (*Point, error) {
	var found []*Point
	var names []string
	for i := range c.Points {
		p := &c.Points[i]
		names = append(names, strings.TrimSpace(p.Label+" "+clean(p.Name)))
		switch {
		case versus == "" && len(p.runs) > 0, versus == p.Label && versus != "":
			found = []*Point{p}
		case versus != "" && versus == p.Name:
			found = append(found, p)
			continue
		default:
			continue
		}
		break
	}
	switch {
	case versus == "" && len(found) == 0:
		return nil, nil
	case len(found) == 0:
		return nil, fmt.Errorf("--versus %s: there is no such point; there are %s", versus, strings.Join(names, ", "))
	case len(found) > 1:
		return nil, fmt.Errorf("--versus %s: %d points have this name; name one by its letter: %s", versus, len(found), strings.Join(names, ", "))
	case len(found[0].runs) == 0:
		return nil, fmt.Errorf("--versus %s: it has no figure to compare with (%s); choose another", versus, strings.Join(found[0].Apart, "; "))
	}
	return found[0], nil
}

// comparable are the points that may stand in one order.
func (c *Comparison) comparable() (out []*Point) {
	for i := range c.Points {
		if len(c.Points[i].Apart) == 0 {
			out = append(out, &c.Points[i])
		}
	}
	return out
}

func (c *Comparison) pareto() {
	list := c.comparable()
	cost, yield := make([]float64, len(list)), make([]float64, len(list))
	for i, p := range list {
		cost[i] = p.EnergyPerOutputTokenJ.Mean
		if p.TokensPerSecond != nil {
			yield[i] = p.TokensPerSecond.Mean
		}
	}
	for i, best := range stats.Pareto(cost, yield) {
		list[i].Pareto = best
	}
}
