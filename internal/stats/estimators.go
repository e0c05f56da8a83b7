package stats

import "math"

// estimator is a way of comparing two points by their runs' values in order. It is
// linear in the values, and its variance is of squares, so that it can be asked what
// any drift would do to both.
type estimator interface {
	of(y []float64) estimate
}

// estimate is a difference and what its variance is made of.
type estimate struct {
	delta float64
	parts [2]part
}

// part of a variance.
type part struct {
	variance float64
	df       float64 // degrees of freedom with which it is known
	once     float64 // of one repeat: n repeats divide it by n
}

func (e estimate) variance() float64 { return e.parts[0].variance + e.parts[1].variance }

// df are Welch's and Satterthwaite's degrees of freedom of the whole.
func (e estimate) df() float64 {
	sum := 0.0
	for _, p := range e.parts {
		if p.variance > 0 {
			sum += p.variance * p.variance / p.df
		}
	}
	return e.variance() * e.variance() / sum
}

func (e estimate) difference(widening float64) Difference {
	df := e.df()
	once := e.parts[0].once + e.parts[1].once
	n := once / e.variance() // repeats of each point that this variance is of
	return Difference{
		Log: e.delta, U: math.Sqrt(widening * e.variance()), DF: df,
		variance: widening * once, perN: df / (n - 1),
	}
}

// line takes a straight line of drift out of both points, then holds their means
// against each other with spreads that may differ, as Welch's test does.
type line struct {
	side    []int      // of each run: 0 or 1
	from    []float64  // of each run: distance from the mean time of its point
	squares float64    // sum of those, squared
	apart   float64    // mean time of the second − that of the first
	n       [2]float64 // runs
	df      [2]float64
	weight  [2]float64 // sum of the squared weights of a point's runs in the difference
}

// newLine is not ok where a point has a single run, or all runs one time.
func newLine(runs []Run, axis []float64) (l *line, ok bool) {
	l = &line{side: make([]int, len(runs)), from: make([]float64, len(runs))}
	for i, r := range runs {
		l.side[i] = toInt(r.Second)
		l.n[toInt(r.Second)]++
	}
	mean := l.means(axis)
	var squares [2]float64
	for i, s := range l.side {
		l.from[i] = axis[i] - mean[s]
		squares[s] += l.from[i] * l.from[i]
	}
	l.squares, l.apart = squares[0]+squares[1], mean[1]-mean[0]
	if l.squares == 0 {
		return nil, false
	}
	for s := range l.n {
		l.df[s] = l.n[s] - 1 - squares[s]/l.squares
		l.weight[s] = 1/l.n[s] + squares[s]*(l.apart/l.squares)*(l.apart/l.squares)
	}
	return l, min(l.df[0], l.df[1]) > 1e-9
}

func (l *line) means(y []float64) (mean [2]float64) {
	for i, s := range l.side {
		mean[s] += y[i] / l.n[s]
	}
	return mean
}

// rest is what is left of each run without its point's mean and the line, whose
// slope it says too.
func (l *line) rest(y []float64) (rest []float64, slope float64) {
	mean := l.means(y)
	for i, v := range y {
		slope += v * l.from[i] / l.squares
	}
	rest = make([]float64, len(y))
	for i, s := range l.side {
		rest[i] = y[i] - mean[s] - slope*l.from[i]
	}
	return rest, slope
}

func (l *line) of(y []float64) (e estimate) {
	mean := l.means(y)
	rest, slope := l.rest(y)
	var squares [2]float64
	for i, s := range l.side {
		squares[s] += rest[i] * rest[i]
	}
	e.delta = mean[1] - mean[0] - slope*l.apart
	for s := range squares {
		v := l.weight[s] * squares[s] / l.df[s]
		e.parts[s] = part{variance: v, df: l.df[s], once: v * l.n[s]}
	}
	return e
}

// pairs takes the line that the cycles' means follow out of all runs, then holds the
// two runs of each cycle against each other.
type pairs struct {
	at       [][2]int  // of each cycle: its run of the first point, and of the second
	from     []float64 // of each cycle: distance of its mean time from that of all
	squares  float64   // sum of those, squared
	ahead    []float64 // of each cycle: by how much the second point's run is later
	meanLead float64
}

// newPairs is not ok where not every run shares its cycle with one of the other
// point, and for fewer than three cycles.
func newPairs(runs []Run, axis []float64) (p *pairs, ok bool) {
	p = &pairs{}
	where, full := map[string]int{}, 0
	for i, r := range runs {
		c, there := where[r.Cycle]
		if !there {
			c = len(p.at)
			where[r.Cycle] = c
			p.at = append(p.at, [2]int{-1, -1})
		}
		if r.Cycle == "" || p.at[c][toInt(r.Second)] >= 0 {
			return nil, false
		}
		p.at[c][toInt(r.Second)] = i
		full++
	}
	n := float64(len(p.at))
	if full != 2*len(p.at) || n < 3 {
		return nil, false
	}
	mean := 0.0
	for _, c := range p.at {
		if min(c[0], c[1]) < 0 {
			return nil, false
		}
		p.ahead = append(p.ahead, axis[c[1]]-axis[c[0]])
		p.from = append(p.from, (axis[c[0]]+axis[c[1]])/2)
		p.meanLead += p.ahead[len(p.ahead)-1] / n
		mean += p.from[len(p.from)-1] / n
	}
	for c := range p.from {
		p.from[c] -= mean
		p.squares += p.from[c] * p.from[c]
	}
	return p, p.squares > 0
}

func (p *pairs) of(y []float64) (e estimate) {
	n := float64(len(p.at))
	slope, mean := 0.0, 0.0
	for c, at := range p.at {
		m := (y[at[0]] + y[at[1]]) / 2
		slope += m * p.from[c] / p.squares
		mean += m / n
	}
	d := make([]float64, len(p.at))
	between := 0.0
	for c, at := range p.at {
		d[c] = y[at[1]] - y[at[0]] - slope*p.ahead[c]
		e.delta += d[c] / n
		r := (y[at[0]]+y[at[1]])/2 - mean - slope*p.from[c]
		between += r * r
	}
	within := 0.0
	for _, v := range d {
		within += (v - e.delta) * (v - e.delta)
	}
	e.parts[0] = part{variance: within / (n - 1) / n, df: n - 1, once: within / (n - 1)}
	v := p.meanLead * p.meanLead * between / (n - 2) / p.squares
	e.parts[1] = part{variance: v, df: n - 2, once: v * n}
	return e
}
