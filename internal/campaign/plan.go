package campaign

import (
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// PlanOf is a study's plan as version of llem writes it, without who carries it out, and
// where.
func PlanOf(p *study.Plan, version string) result.StudyPlan {
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
