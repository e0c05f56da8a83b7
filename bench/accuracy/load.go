package main

import (
	"fmt"
	"os"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// loadSpec is what the command under measurement does to the GPUs.
type loadSpec struct {
	File   string // of the stand-in
	Report string // written as it ends
	GPUs   [][]standin.Step
	Idle   []float64 // watts of each
	Length time.Duration
	Late   time.Duration
	Early  time.Duration // its process begins to end so long before the load does: an exit takes time
	Fault  standin.Fault
	Joules float64
}

// loadReport says when it did so, on the clock of standin.Now.
type loadReport struct {
	Start, End time.Duration
	Quiet      time.Duration // when the GPUs fell idle that were busy before; 0: they were not
}

// load writes the whole load down, so that it happens to the nanosecond however
// busy the host is, and ends when it does.
func load(path string) error {
	var l loadSpec
	if err := readJSON(path, &l); err != nil {
		return err
	}
	c, err := standin.Open(l.File)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var out loadReport
	if text, err := os.ReadFile(l.Report + ".quiet"); err == nil {
		_, _ = fmt.Sscan(string(text), (*int64)(&out.Quiet))
	}
	// Half a millisecond covers the writing, so that all GPUs begin at once.
	out.Start = standin.Now() + ms/2 + l.Late
	out.End = out.Start + l.Length
	for i, steps := range l.GPUs {
		c.Schedule(i, out.Start, steps...)
		if l.Fault != standin.Sound {
			c.SetFault(i, l.Fault, out.Start+l.Length/2, l.Joules)
		}
	}
	if err := writeJSON(l.Report, out); err != nil {
		return err
	}
	time.Sleep(out.End - l.Early - standin.Now())
	return nil
}
