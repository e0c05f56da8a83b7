package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// doubts are the warnings of the runs to come, of what is not as it was before.
type doubts struct {
	host  []measure.Warning
	files map[int]string             // by points: the digest of the file that says what is sent, as it is now
	other map[string]measure.Warning // by points' hashes: that file was another in runs before
	clock clock
	say   func(note string)
}

// newDoubts compares where the study goes on with where it was begun.
func newDoubts(f folder, now Site, say func(note string)) doubts {
	d := doubts{files: now.Files, other: map[string]measure.Warning{}, clock: newClock(f.journal.Entries()), say: say}
	add := func(what, then, now string) {
		if then != now {
			d.host = append(d.host, d.said(measure.Warn("study_host_changed", "%s: as the study began %s, now %s", what, cmp.Or(then, "unknown"), cmp.Or(now, "unknown"))))
		}
	}
	was, is := f.plan.Host, now.Host
	add("host", was.Hostname, is.Hostname)
	add("kernel", was.Kernel, is.Kernel)
	add(now.Launcher, was.Docker, is.Docker)
	add("driver", was.Driver, is.Driver)
	add("GPUs", fmt.Sprint(was.GPUs), fmt.Sprint(is.GPUs))
	for _, i := range f.plan.Images {
		if at := slices.IndexFunc(now.Images, func(n result.StudyImage) bool { return n.Ref == i.Ref }); at >= 0 {
			add("image "+i.Ref, job.Short(i.ID), job.Short(now.Images[at].ID))
		}
	}
	return d
}

// said is w, which people are shown.
func (d *doubts) said(w measure.Warning) measure.Warning {
	d.say("differs: " + w.Message)
	return w
}

// input compares the file that a whole run's requests came from with what it is now. Where
// it is another, the runs to come of the point, number i of the study's, are doubted.
func (d *doubts) input(p result.StudyPoint, i, run int, rec *result.Record) {
	was := cmp.Or(rec.Requests.SourceSHA256, rec.Requests.TraceSHA256, rec.Requests.LengthsSHA256)
	if now := d.files[i]; was != "" && now != "" && was != now && d.other[p.ConfigHash].Code == "" {
		d.other[p.ConfigHash] = d.said(measure.Warn("study_input_changed", "point %s: the file of its prompts or lengths was %s in run %d, and is %s", p.Name, job.Short(was), run, job.Short(now)))
	}
}

// of are the doubts of a run of the point of a hash that begins now.
func (d *doubts) of(hash string) []measure.Warning {
	out := slices.Concat(d.host, d.clock.doubts())
	if w, differs := d.other[hash]; differs {
		out = append(out, w)
	}
	return out
}

// clock notices that the host's clock was set back while a study runs.
type clock struct {
	begun time.Time
	ahead time.Duration // of the journal's last line to the clock, as this llem began
}

// setBack is the least that is warned of.
const setBack = 2 * time.Second

func newClock(journal []result.JournalEntry) clock {
	c := clock{begun: time.Now()}
	for _, e := range journal {
		c.ahead = max(c.ahead, e.At.Sub(c.begun))
	}
	return c
}

func (c clock) doubts() []measure.Warning {
	now := time.Now()
	back := max(c.ahead, now.Sub(c.begun)-now.Round(0).Sub(c.begun.Round(0))) // monotonic less wall
	if back < setBack {
		return nil
	}
	return []measure.Warning{measure.Warn("clock_changed", "the host's clock was set back by %s while the study ran", back.Round(time.Second))}
}
